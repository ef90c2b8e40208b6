// The seeds that the service keeps, by the example program `token_seeds`: for comparing what the app shows.
import { existsSync } from 'node:fs';
import path from 'node:path';
import { root, run } from './machine.js';

/** @typedef {{ token_id: string, algorithm: string, digits: number, step_s: number, seed_hex: string, device_key_hex: string }} Seed */

/** The tokens of a demo, the oldest first. @param {import('./service.js').Demo} demo @returns {Promise<Seed[]>} */
export async function seedsOf(demo) {
  const target = process.env.CARGO_TARGET_DIR ?? path.join(root, 'target');
  const program = path.join(target, 'debug', 'examples', 'token_seeds');
  if (!existsSync(program)) throw new Error(`${program} is not there: run the browser tests with \`cargo xtask test --only e2e\``);
  const { status, stdout, stderr } = await run(program, [path.join(demo.folder, 'data')]);
  if (status !== 0) throw new Error(`the seeds cannot be read: ${stderr}`);
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [token_id, algorithm, digits, step_s, seed_hex, device_key_hex] = line.split(' ');
      return { token_id, algorithm, digits: Number(digits), step_s: Number(step_s), seed_hex, device_key_hex };
    });
}

/** The one token of a demo. @param {import('./service.js').Demo} demo */
export async function theSeedOf(demo) {
  const seeds = await seedsOf(demo);
  if (seeds.length !== 1) throw new Error(`the service has ${seeds.length} tokens, and not one`);
  return seeds[0];
}
