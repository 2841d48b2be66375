// Drives OpenAI's own package against a server: node openai.mjs ADDRESS KEY FOLDER
// FOLDER has init.png and mask.png. What came back is written as JSON.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import OpenAI, { toFile } from 'openai';

const [address, key, folder] = process.argv.slice(2);
const statuses = [];
const client = new OpenAI({
  baseURL: `${address}/v1`,
  apiKey: key,
  maxRetries: 0,
  fetch: async (url, init) => {
    const response = await fetch(url, init);
    statuses.push(response.status);
    return response;
  },
});
const quick = { prompt: 'a red circle', size: '32x32', seed: 7, steps: 2 };

/** What a call fails with. */
async function failure(call) {
  try {
    await call;
    return { name: 'none' };
  } catch (error) {
    return {
      name: Object.keys(OpenAI).find((name) => OpenAI[name] === error.constructor) ?? error.constructor.name,
      status: error.status,
      code: error.code,
      param: error.param,
      type: error.type,
      message: error.message,
    };
  }
}

async function all(stream) {
  const events = [];
  for await (const event of stream) {
    events.push(event);
  }
  return events;
}

const file = (name) => toFile(readFileSync(join(folder, name)), name, { type: 'image/png' });
const own = (method, path, body) => fetch(`${address}/api/v1${path}`, {
  method,
  headers: { 'Authorization': `Bearer ${key}`, 'Content-Type': 'application/json' },
  body: body && JSON.stringify(body),
}).then((response) => response.json());

const result = {};
result.models = (await all(await client.models.list())).map((model) => model.id);
result.generated = await client.images.generate({ ...quick, n: 2 });
const url = await client.images.generate({ ...quick, model: 'dall-e-2' });
result.fetched = Buffer.from(await (await fetch(url.data[0].url)).arrayBuffer()).toString('base64');
result.streamed = await all(await client.images.generate({ ...quick, steps: 8, stream: true, partial_images: 2 }));
const edit = { prompt: 'a blue star', seed: 8, steps: 3 };
result.edited = await client.images.edit({ ...edit, image: await file('init.png'), mask: await file('mask.png') });
result.editStreamed = await all(await client.images.edit({ ...edit, strength: 0.5, stream: true,
  image: await file('init.png') }));
result.errors = {
  size: await failure(client.images.generate({ ...quick, size: '100x128' })),
  model: await failure(client.images.generate({ ...quick, model: 'nobody' })),
  key: await failure(new OpenAI({ baseURL: `${address}/v1`, apiKey: 'wrong', maxRetries: 0 }).models.list()),
  picture: await failure(client.images.edit({ ...edit, image: await toFile(Buffer.from('no picture'), 'a.png') })),
};

// One job is drawn, one waits, and there is no room for more.
const long = { prompt: 'a', width: 128, height: 128, steps: 200 };
const blocker = await own('POST', '/jobs', long);
while ((await own('GET', `/jobs/${blocker.id}`)).status !== 'generating') {
  await new Promise((resolve) => setTimeout(resolve, 10));
}
const waiter = await own('POST', '/jobs', long);
result.errors.full = await failure(client.images.generate(quick));
statuses.length = 0;
const retried = client.images.generate(quick, { maxRetries: 5 });
while (!statuses.includes(429)) {
  await new Promise((resolve) => setTimeout(resolve, 10));
}
await own('DELETE', `/jobs/${waiter.id}`);
await own('DELETE', `/jobs/${blocker.id}`);
result.retried = await retried;
result.retriedStatuses = statuses;

console.log(JSON.stringify(result));
