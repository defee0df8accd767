/**
 * Images: taken as they are when the engine has them, pulled when it has not. A `latest` that came
 * from a registry is looked up there again; one that was built or imported here never is, or anyone
 * could replace it by publishing its name.
 */
import type Docker from "dockerode";
import * as z from "zod";
import { RetryableError, TerminalError } from "../volume/errors.ts";
import type { DockerEngine, EnsuredImage, ImageRequest } from "./docker-engine.ts";
import { callEngine, orNull } from "./docker-errors.ts";
import {
  formatImageReference,
  type ImageReference,
  parseImageReference,
} from "./image-reference.ts";
import { readJsonLines } from "./json-lines.ts";
import { PullLine, trackPull } from "./pull-progress.ts";
import type { RegistryCredentials } from "./registry-credentials.ts";

const PULL_TIMEOUT_MS = 3_600_000;
/** A registry that does not answer must not hold up a deploy whose image is here. */
const LOOK_UP_TIMEOUT_MS = 10_000;

const LocalImage = z.object({
  Id: z.string(),
  RepoDigests: z
    .array(z.string())
    .nullish()
    .transform((digests) => digests ?? []),
});
type LocalImage = z.infer<typeof LocalImage>;

type FindCredentials = (registry: string) => Promise<RegistryCredentials | null>;

export const makeImageCalls = (
  docker: Docker,
  findCredentials: FindCredentials,
): Pick<DockerEngine, "ensureImage"> => ({
  ensureImage: async (request, signal) => {
    const reference = parseImageReference(request.reference);
    const local = await findLocal(docker, reference, signal);
    const auth = reference.kind === "id" ? null : await findCredentials(reference.registry);
    const source = { docker, reference, auth };
    if (local === null) return pull(source, request, signal);
    const taken = (how: "present" | "local-only"): EnsuredImage => ({
      imageId: local.Id,
      digest: digestOf(local),
      source: how,
    });
    if (reference.kind !== "tag" || reference.tag !== "latest") return taken("present");
    if (local.RepoDigests.length === 0) return taken("local-only");
    const remote = await lookUpDigest(source, signal);
    if (remote === null) return taken("local-only");
    if (local.RepoDigests.some((digest) => digest.endsWith(`@${remote}`))) return taken("present");
    return pull(source, request, signal);
  },
});

interface ImageSource {
  readonly docker: Docker;
  readonly reference: ImageReference;
  readonly auth: RegistryCredentials | null;
}

const authOption = (auth: RegistryCredentials | null) =>
  auth === null ? {} : { authconfig: auth };

const findLocal = async (
  docker: Docker,
  reference: ImageReference,
  signal: AbortSignal,
): Promise<LocalImage | null> => {
  const name = formatImageReference(reference);
  const answer = await orNull(
    callEngine(`inspect image ${name}`, signal, () => docker.getImage(name).inspect()),
  );
  return answer === null ? null : LocalImage.parse(answer);
};

const digestOf = (image: LocalImage): string | null =>
  image.RepoDigests[0]?.replace(/^.*@/, "") ?? null;

/** Null whenever the registry can't be asked: the local image is then good enough. */
const lookUpDigest = async (
  { docker, reference, auth }: ImageSource,
  signal: AbortSignal,
): Promise<string | null> => {
  const name = formatImageReference(reference);
  try {
    const answer = await callEngine(
      `look up ${name}`,
      signal,
      (abortSignal) => docker.getImage(name).distribution({ ...authOption(auth), abortSignal }),
      LOOK_UP_TIMEOUT_MS,
    );
    return z.object({ Descriptor: z.object({ digest: z.string() }) }).parse(answer).Descriptor
      .digest;
  } catch (error) {
    if (error instanceof TerminalError || error instanceof RetryableError) return null;
    throw error;
  }
};

const pull = async (
  source: ImageSource,
  request: ImageRequest,
  signal: AbortSignal,
): Promise<EnsuredImage> => {
  const { docker, reference } = source;
  const name = formatImageReference(reference);
  if (reference.kind === "id") throw pullError(name, "no such image");
  try {
    await callEngine(
      `pull ${name}`,
      signal,
      (abortSignal) => download(source, reference, request, abortSignal),
      PULL_TIMEOUT_MS,
    );
  } catch (error) {
    if (signal.aborted) throw error;
    // The engine itself answers 404 or 500 with the registry's words in its message.
    const { code, message } = error as { code?: string; message: string };
    throw code === "docker-not-found" || code === "docker-failed" || code === "docker-refused"
      ? pullError(name, message)
      : error;
  }
  const pulled = await findLocal(docker, reference, signal);
  if (pulled === null) throw pullError(name, "pulled, then removed by someone");
  return { imageId: pulled.Id, digest: digestOf(pulled), source: "pulled" };
};

const download = async (
  { docker, auth }: ImageSource,
  reference: Exclude<ImageReference, { kind: "id" }>,
  { onProgress }: ImageRequest,
  abortSignal: AbortSignal,
): Promise<void> => {
  const stream = await docker.createImage({
    ...authOption(auth),
    fromImage: reference.repository,
    tag: reference.kind === "tag" ? reference.tag : reference.digest,
    abortSignal,
  });
  const progress = trackPull();
  for await (const value of readJsonLines(stream as AsyncIterable<Uint8Array>)) {
    const line = PullLine.parse(value);
    if (line.error !== undefined) throw pullError(formatImageReference(reference), line.error);
    const sum = progress.add(line);
    if (sum !== null) onProgress?.(sum);
  }
};

/** The registry's answers have no codes left when the engine passes them on; its words remain. */
export const pullError = (name: string, said: string): RetryableError | TerminalError => {
  const message = `can't pull ${name}: ${said}`;
  // Docker Hub answers a missing repository with "access denied … does not exist or may require".
  if (/denied|unauthorized|authentication required|no basic auth/i.test(said)) {
    return new TerminalError(message, {
      code: "image-denied",
      hint: "check the image's name, and `docker login` on the node if it is private",
    });
  }
  if (/not found|manifest unknown|no such image|no matching manifest/i.test(said)) {
    return new TerminalError(message, {
      code: "image-not-found",
      hint: "push the image first, or check its name, tag and platform",
    });
  }
  return new RetryableError(message, {
    code: "registry-unreachable",
    hint: "check that the node reaches the registry",
  });
};
