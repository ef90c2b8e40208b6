// What a phone's camera sees: a film for Chromium's fake camera, made from a QR code.
import { writeFileSync } from 'node:fs';
import encodeQR from 'qr';

/** @typedef {{ width: number, height: number, luma: Uint8Array }} Picture */

const WIDTH = 640;
const HEIGHT = 480;
/** Neither black nor white: what is around a code on a desk. */
const DESK = 150;
const GREY = 128;
const FRAMES = 5;

/**
 * A film of a picture that stands still, in the middle of what the camera sees.
 *
 * @param {string} file
 * @param {Picture} picture no larger than the camera's
 */
export function film(file, { width, height, luma }) {
  const [left, top] = [Math.floor((WIDTH - width) / 2), Math.floor((HEIGHT - height) / 2)];
  if (left < 0 || top < 0) throw new Error(`${width} x ${height} does not fit into what the camera sees`);
  const seen = Buffer.alloc(WIDTH * HEIGHT, DESK);
  for (let row = 0; row < height; row += 1) seen.set(luma.subarray(row * width, (row + 1) * width), (top + row) * WIDTH + left);
  const colours = Buffer.alloc((WIDTH * HEIGHT) / 2, GREY);
  const frame = [Buffer.from('FRAME\n'), seen, colours];
  const head = Buffer.from(`YUV4MPEG2 W${WIDTH} H${HEIGHT} F10:1 Ip A1:1 C420jpeg\n`);
  writeFileSync(file, Buffer.concat([head, ...Array.from({ length: FRAMES }, () => frame).flat()]));
  return file;
}

/** What Chromium is started with to have such a camera. @param {string} file */
export function cameraArgs(file) {
  return ['--use-fake-device-for-media-stream', `--use-file-for-fake-video-capture=${file}`];
}

/** The QR code of a text. @param {string} text @returns {Picture} */
export function pictureOf(text) {
  const scale = 6;
  const border = 4;
  const dark = encodeQR(text, 'raw', { border });
  const size = dark.length * scale;
  const luma = new Uint8Array(size * size);
  for (let at = 0; at < luma.length; at += 1) {
    luma[at] = dark[Math.floor(at / size / scale)][Math.floor((at % size) / scale)] ? 0 : 255;
  }
  return { width: size, height: size, luma };
}

/** A file with the QR code of a text, as a picture. @param {string} text */
export function gifOf(text) {
  return { name: 'code.gif', mimeType: 'image/gif', buffer: Buffer.from(encodeQR(text, 'gif', { scale: 6 })) };
}

/**
 * The pixels of a screenshot.
 *
 * @param {import('@playwright/test').Page} page any that may read pictures
 * @param {Buffer} png
 * @returns {Promise<Picture>}
 */
export async function pixelsOf(page, png) {
  const { width, height, luma } = await page.evaluate(async (base64) => {
    const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
    const bitmap = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
    const { width, height } = bitmap;
    const canvas = new OffscreenCanvas(width, height).getContext('2d');
    canvas?.drawImage(bitmap, 0, 0);
    const rgba = canvas?.getImageData(0, 0, width, height).data ?? [];
    const luma = Array.from({ length: width * height }, (_, at) => Math.round((rgba[4 * at] + rgba[4 * at + 1] + rgba[4 * at + 2]) / 3));
    return { width, height, luma };
  }, png.toString('base64'));
  return { width, height, luma: Uint8Array.from(luma) };
}
