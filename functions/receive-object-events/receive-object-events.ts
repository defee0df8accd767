/**
 * What a gateway pushes of a project's bucket, told to the project's subscribers. The URL it pushes to
 * has a token that nobody else knows; what the body says is told on and decides nothing.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from "aws-lambda";
import { ProjectId } from "../../workflows/ids.ts";
import type { ControlPorts } from "../control-ports.ts";
import { readBody } from "../http-body.ts";
import { HttpProblem } from "../http-problem.ts";
import { findSpace, type Space } from "../spaces/space.ts";
import { ObjectRecords, tellUploads } from "./tell-uploads.ts";

const BODY_BYTES_MAX = 2 ** 20;

export const OBJECT_EVENTS_PATH = "/object-events/";
const PATH = /^\/object-events\/([^/]+)\/([^/]+)$/;

/** 200 when every subscriber was told; any other answer makes the gateway push again. */
export const createReceiveObjectEvents =
  (ports: ControlPorts) =>
  async (
    event: APIGatewayProxyEventV2,
    signal: AbortSignal,
  ): Promise<APIGatewayProxyStructuredResultV2> => {
    const body = readBody(event, BODY_BYTES_MAX);
    const { project, space } = await authenticate(ports, event.rawPath, signal);
    const parsed = ObjectRecords.safeParse(parseJson(body));
    if (!parsed.success) {
      const detail = "The body is no S3 notification.";
      throw new HttpProblem({ status: 400, code: "body-malformed", detail });
    }
    const { Records: records } = parsed.data;
    await tellUploads(ports, { project, space, records }, signal);
    return { statusCode: 200 };
  };

/** The same answer for a wrong token and for a project that is not there. */
const authenticate = async (
  ports: ControlPorts,
  path: string,
  signal: AbortSignal,
): Promise<{ readonly project: ProjectId; readonly space: Space }> => {
  const [, name = "", token = ""] = PATH.exec(path) ?? [];
  const project = ProjectId.safeParse(decodeURIComponent(name));
  const space = project.success ? await findSpace(ports, project.data, signal) : null;
  const isGood = isSame(token, space?.notificationToken ?? "") && token !== "";
  if (project.success && space !== null && isGood) return { project: project.data, space };
  ports.log.warn({ project: name }, "object-event.refused");
  const detail = "The address is not one that this installation gave to a gateway.";
  throw new HttpProblem({ status: 401, code: "token-refused", detail });
};

const isSame = (a: string, b: string): boolean => {
  const [x, y] = [a, b].map((text) => createHash("sha256").update(text).digest());
  return x !== undefined && y !== undefined && timingSafeEqual(x, y);
};

const parseJson = (body: Buffer): unknown => {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    return null;
  }
};
