/** The request's body as the bytes that were sent, within a bound; never decompressed. */
import type { APIGatewayProxyEventV2 } from "aws-lambda";
import { HttpProblem } from "./http-problem.ts";

/** Throws HttpProblem 413 for a larger body, 415 for a compressed one. */
export const readBody = (event: APIGatewayProxyEventV2, bytesMax: number): Buffer => {
  const encoding = event.headers["content-encoding"]?.trim().toLowerCase() ?? "";
  if (encoding !== "" && encoding !== "identity") {
    const detail = "Send the body without a content encoding.";
    throw new HttpProblem({ status: 415, code: "content-encoding-refused", detail });
  }
  const text = event.body ?? "";
  // Four characters of base64 are three bytes; a character of text is at least one.
  const bytesAtLeast = event.isBase64Encoded ? Math.floor((text.length * 3) / 4) - 2 : text.length;
  if (bytesAtLeast > bytesMax) throw tooLarge(bytesMax);
  const body = Buffer.from(text, event.isBase64Encoded ? "base64" : "utf8");
  if (body.byteLength > bytesMax) throw tooLarge(bytesMax);
  return body;
};

const tooLarge = (bytesMax: number): HttpProblem =>
  new HttpProblem({
    status: 413,
    code: "body-too-large",
    detail: `The body may have ${bytesMax} bytes.`,
  });
