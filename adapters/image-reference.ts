/** How an image is named: registry, repository, and a tag or digest. Pure. */
import { TerminalError } from "../volume/errors.ts";

export type ImageReference =
  | {
      readonly kind: "tag";
      /** As the engine wants it: registry and path, without the tag. */
      readonly repository: string;
      readonly registry: string;
      readonly tag: string;
    }
  | {
      readonly kind: "digest";
      readonly repository: string;
      readonly registry: string;
      readonly digest: string;
    }
  /** An image that only the local engine can know. */
  | { readonly kind: "id"; readonly id: string };

const DEFAULT_REGISTRY = "docker.io";
const REFERENCE_CHARS_MAX = 512;
const ID = /^sha256:[0-9a-f]{64}$/;
const COMPONENT = "[a-z0-9]+(?:(?:\\.|_{1,2}|-+)[a-z0-9]+)*";
const HOST = "(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\\[[0-9a-fA-F:]+\\])(?::[0-9]{1,5})?";
/** The grammar of the OCI distribution's references: host/path:tag@digest. */
const REFERENCE = new RegExp(
  `^(?:(?<host>${HOST})/)?(?<path>${COMPONENT}(?:/${COMPONENT})*)` +
    "(?::(?<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(?<digest>sha256:[0-9a-f]{64}))?$",
);

/** A name without tag or digest means `latest`, never "all tags". Throws TerminalError. */
export const parseImageReference = (reference: string): ImageReference => {
  if (ID.test(reference)) return { kind: "id", id: reference };
  const groups =
    reference.length <= REFERENCE_CHARS_MAX ? REFERENCE.exec(reference)?.groups : undefined;
  const path = groups?.["path"];
  if (path === undefined) {
    throw new TerminalError(`${JSON.stringify(reference)} is not an image name`, {
      code: "image-name-invalid",
      hint: "like web, web:1.4, registry.example:5000/team/web:1.4 or web@sha256:…",
    });
  }
  const first = groups?.["host"];
  // `team/web` names a path of the default registry; `host.tld/web` and `host:5000/web` a host.
  const isHost = first !== undefined && (/[.:[]/.test(first) || first === "localhost");
  const repository = first === undefined ? path : `${first}/${path}`;
  const registry = isHost ? first : DEFAULT_REGISTRY;
  const digest = groups?.["digest"];
  return digest === undefined
    ? { kind: "tag", repository, registry, tag: groups?.["tag"] ?? "latest" }
    : { kind: "digest", repository, registry, digest };
};

/** The reference as the engine takes it, always with its tag or digest. */
export const formatImageReference = (reference: ImageReference): string => {
  switch (reference.kind) {
    case "id":
      return reference.id;
    case "tag":
      return `${reference.repository}:${reference.tag}`;
    case "digest":
      return `${reference.repository}@${reference.digest}`;
  }
};
