/**
 * The images that the lab's engines hold, put there through the engine's own interface: base file
 * systems are imported, the applications are built on top. No registry is asked.
 *
 * - `busybox`: a shell.
 * - `bagage-demo:1`, `:2`, `:bad`: the demonstration's application (infra/demo/app).
 * - `log-writer`: acknowledges numbered records, for tests that look for lost writes.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import Docker from "dockerode";
import { TerminalError } from "../../volume/errors.ts";
import { packBusybox, packNode } from "./root-file-systems.ts";

const APP_DIRECTORY = fileURLToPath(new URL("../demo/app", import.meta.url));
const DEMO_VERSIONS = ["1", "2", "bad"];

export const LAB_IMAGES = [
  "busybox:latest",
  "log-writer:latest",
  ...DEMO_VERSIONS.map((version) => `bagage-demo:${version}`),
];

export interface ImageFiles {
  readonly busyboxTar: string;
  readonly nodeTar: string;
  /** What the applications are built from: a tar of infra/demo/app. */
  readonly appTar: Buffer;
}

/** Packs what the images are made of, once for all engines. */
export const prepareImages = async (
  labsDirectory: string,
  signal: AbortSignal,
): Promise<ImageFiles> => {
  const cache = join(labsDirectory, "images");
  const [busyboxTar, nodeTar, appTar] = await Promise.all([
    packBusybox(cache, signal),
    packNode(cache, signal),
    packContext(APP_DIRECTORY, signal),
  ]);
  return { busyboxTar, nodeTar, appTar };
};

/** Makes sure that the engine holds all of LAB_IMAGES, as they are in the work tree now. */
export const loadImages = async (socketPath: string, files: ImageFiles): Promise<void> => {
  const docker = new Docker({ socketPath });
  await importTar(docker, files.busyboxTar, "busybox", `CMD ["/bin/sh"]`);
  await importTar(docker, files.nodeTar, "bagage-node", "ENV PATH=/usr/bin:/bin");
  await build(docker, files.appTar, {
    t: "log-writer:latest",
    dockerfile: "log-writer.Dockerfile",
  });
  for (const version of DEMO_VERSIONS) {
    const buildargs = { APP_VERSION: version };
    await build(docker, files.appTar, { t: `bagage-demo:${version}`, buildargs });
  }
};

/** Imports a root file system as `repo:latest`. */
export const importTar = async (
  docker: Docker,
  tar: string,
  repo: string,
  changes: string,
): Promise<void> => {
  await follow(docker, await docker.importImage(tar, { repo, tag: "latest", changes }));
};

/** Builds from a tar of the context. */
export const build = async (
  docker: Docker,
  context: Buffer,
  options: Docker.ImageBuildOptions,
): Promise<void> => {
  await follow(docker, await docker.buildImage(Readable.from([context]), options));
};

/** The engine answers 200 and reports what went wrong in the body. */
const follow = (docker: Docker, progress: NodeJS.ReadableStream): Promise<void> =>
  new Promise((resolve, reject) => {
    docker.modem.followProgress(progress, (error, events: { readonly error?: string }[]) => {
      const message = error?.message ?? events.find((event) => event.error)?.error;
      if (message === undefined) resolve();
      else reject(new TerminalError(`An image was not made: ${message}`, { code: "image_failed" }));
    });
  });

export const packContext = async (directory: string, signal: AbortSignal): Promise<Buffer> => {
  const tar = spawn("tar", ["-C", directory, "--exclude=*.test.ts", "-c", "."], { signal });
  return buffer(tar.stdout);
};
