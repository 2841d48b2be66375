// Drives both SDKs of the Model Context Protocol against a server: node mcp.mjs ADDRESS KEY FOLDER
// FOLDER has init.png. What came back is written as JSON.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client as First } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as FirstTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { Client as Second, StreamableHTTPClientTransport as SecondTransport } from '@modelcontextprotocol/client';

const [address, key, folder] = process.argv.slice(2);
const url = new URL(`${address}/mcp`);
const options = { requestInit: { headers: { Authorization: `Bearer ${key}` } } };
const me = { name: 'jdiffusion-test', version: '1' };
const clients = {
  handshake: [new First(me), new FirstTransport(url, options), (client, params, more) =>
    client.callTool(params, undefined, more)],
  handshakeOfSecond: [new Second(me), new SecondTransport(url, options), (client, params, more) =>
    client.callTool(params, more)],
  current: [new Second(me, { versionNegotiation: { mode: { pin: '2026-07-28' } } }), new SecondTransport(url, options),
    (client, params, more) => client.callTool(params, more)],
  auto: [new Second(me, { versionNegotiation: { mode: 'auto' } }), new SecondTransport(url, options),
    (client, params, more) => client.callTool(params, more)],
};

async function failure(call) {
  try {
    await call;
    return { message: 'none' };
  } catch (error) {
    return { code: error.code, message: String(error.message) };
  }
}

async function running() {
  while (true) {
    const answer = await fetch(`${address}/api/v1/jobs`, options.requestInit);
    const job = (await answer.json()).jobs.find((one) => one.status === 'generating');
    if (job) {
      return job.id;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const result = {};
for (const [name, [client, transport, call]] of Object.entries(clients)) {
  const one = {};
  result[name] = one;
  await client.connect(transport);
  one.server = client.getServerVersion();
  one.capabilities = client.getServerCapabilities();
  one.tools = (await client.listTools()).tools;
  one.models = await call(client, { name: 'list_models', arguments: {} });
  one.progress = [];
  one.generated = await call(client, { name: 'generate_image', arguments: { prompt: 'a red circle', seed: 7, steps: 2,
    width: 32, height: 32 } }, { onprogress: (progress) => one.progress.push(progress) });
  one.edited = await call(client, { name: 'edit_image', arguments: { prompt: 'a blue star', seed: 8, steps: 4,
    strength: 0.5, image: readFileSync(join(folder, 'init.png')).toString('base64') } });
  one.wrong = await call(client, { name: 'generate_image', arguments: { prompt: 'a', width: 100, height: 128 } });
  one.unknown = await failure(call(client, { name: 'nothing', arguments: {} }));
  const abort = new AbortController();
  const long = failure(call(client, { name: 'generate_image', arguments: { prompt: 'a', steps: 200, width: 128,
    height: 128 } }, { signal: abort.signal }));
  one.cancelledJob = await running();
  abort.abort('no longer wanted');
  one.cancelled = await long;
  while (true) {
    const answer = await fetch(`${address}/api/v1/jobs/${one.cancelledJob}`, options.requestInit);
    one.cancelledStatus = (await answer.json()).status;
    if (one.cancelledStatus !== 'generating') {
      break;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await client.close();
}
result.locked = await failure(new First(me).connect(new FirstTransport(url)));

console.log(JSON.stringify(result));
