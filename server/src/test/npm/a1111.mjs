// Drives stable-diffusion-api against a server: node a1111.mjs ADDRESS KEY FOLDER
// FOLDER has init.png and mask.png. What came back is written as JSON.
import { join } from 'node:path';
import sharp from 'sharp';
import { StableDiffusionApi } from 'stable-diffusion-api';

const [address, key, folder] = process.argv.slice(2);
const { hostname, port } = new URL(address);
const api = new StableDiffusionApi({ host: hostname, port, timeout: 60000, defaultSampler: 'Euler' });
api.setAuth('anybody', key);

const size = { width: 32, height: 32 };
const drawn = (answer) => ({
  images: answer.response.data.images,
  decoded: answer.images.length,
  info: JSON.parse(answer.info),
});
const result = {};
result.txt2img = drawn(await api.txt2img({ prompt: 'a red circle', negative_prompt: 'blue', seed: 7, steps: 2,
  cfg_scale: 3, batch_size: 2, ...size }));
result.img2img = drawn(await api.img2img({ prompt: 'a blue star', seed: 8, steps: 4, cfg_scale: 3,
  denoising_strength: 0.5, init_images: [sharp(join(folder, 'init.png'))], ...size }));
result.masked = drawn(await api.img2img({ prompt: 'a blue star', seed: 8, steps: 3, cfg_scale: 3,
  denoising_strength: 1, init_images: [sharp(join(folder, 'init.png'))],
  mask_image: sharp(join(folder, 'white.png')), mask_blur: 0, inpainting_fill: 1, inpaint_full_res: false,
  ...size }));
const info = await api.pngInfo({
  png: () => ({ toBuffer: async () => Buffer.from(result.txt2img.images[0], 'base64') }),
});
result.pngInfo = info.response.data;

result.options = await api.getOptions();
await api.setOptions({ sd_model_checkpoint: result.options.sd_model_checkpoint });
result.samplers = (await api.getSamplers()).map((sampler) => sampler.name);
result.models = (await api.getSdModels()).map((model) => model.title);
for (const list of ['getUpscalers', 'getHypernetworks', 'getFaceRestorers', 'getRealesrganModels', 'getPromptStyles',
  'getCmdFlags']) {
  result[list] = await api[list]();
}

// The way of one that takes longer.
const long = api.txt2img({ prompt: 'a', steps: 200, width: 128, height: 128 });
let progress = await api.getProgress();
while (progress.state.sampling_step < 2) {
  progress = await api.getProgress();
}
result.progress = progress;
await api.api.post('/sdapi/v1/interrupt');
result.interrupted = drawn(await long);
// The answer may be there just before the job is off the list.
do {
  result.after = await api.getProgress();
} while (result.after.state.job_count > 0);
try {
  await api.interrogate(sharp(join(folder, 'init.png')), 'clip');
} catch (error) {
  result.interrogate = error.response.status;
}
try {
  await new StableDiffusionApi({ host: hostname, port }).getSamplers();
} catch (error) {
  result.locked = error.response.status;
}

console.log(JSON.stringify(result));
