/** A byte stream of JSON values, one a line, as the Docker engine sends progress and events. */
import { RetryableError, TerminalError } from "../volume/errors.ts";

/** Longest line that is taken; the engine's are some hundred bytes. */
const LINE_BYTES_MAX = 1 << 20;

export async function* readJsonLines(
  stream: AsyncIterable<Uint8Array | string>,
): AsyncGenerator<unknown> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    rest += typeof chunk === "string" ? chunk : decoder.decode(chunk, { stream: true });
    const lines = rest.split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > LINE_BYTES_MAX) throw malformed("a line without end");
    for (const line of lines) if (line.trim() !== "") yield parse(line);
  }
  if (rest.trim() === "") return;
  try {
    yield parse(rest);
  } catch (cause) {
    throw new RetryableError("the engine broke off in the middle of a line", {
      code: "docker-cut",
      cause,
    });
  }
}

const parse = (line: string): unknown => {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw malformed(line.slice(0, 80), cause);
  }
};

const malformed = (what: string, cause?: unknown): TerminalError =>
  new TerminalError(`the engine sent something that is not JSON: ${what}`, {
    code: "docker-malformed",
    cause,
  });
