/** The variables by which a container with `s3: true` finds the project's bucket. */
import type { ObjectStore } from "../../volume/object-store.ts";
import type { ProjectId } from "../../workflows/ids.ts";
import { requireSpace, spaceCredentials } from "./space.ts";

/** Never stored nor logged by the caller: a secret is among them. Throws without S3 access. */
export const readS3Environment = async (
  ports: { readonly store: ObjectStore },
  project: ProjectId,
  signal: AbortSignal,
): Promise<Record<string, string>> => {
  const space = await requireSpace(ports, project, signal);
  const { accessKeyId, secretAccessKey } = spaceCredentials(space);
  return {
    AWS_ENDPOINT_URL_S3: space.endpoint,
    AWS_REGION: space.region,
    AWS_DEFAULT_REGION: space.region,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_S3_BUCKET: space.bucket,
  };
};
