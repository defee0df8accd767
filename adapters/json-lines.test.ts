import { Readable } from "node:stream";
import fc from "fast-check";
import { expect, test } from "vitest";
import { readJsonLines } from "./json-lines.ts";

const read = async (chunks: readonly Uint8Array[]): Promise<unknown[]> => {
  const values: unknown[] = [];
  for await (const value of readJsonLines(Readable.from(chunks))) values.push(value);
  return values;
};

test("values arrive whole, however the bytes are cut", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.jsonValue(), { maxLength: 8 }),
      fc.array(fc.nat(200), { maxLength: 10 }),
      async (values, cuts) => {
        const bytes = Buffer.from(values.map((value) => `${JSON.stringify(value)}\n`).join(""));
        const at = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)), bytes.length];
        const sorted = at.toSorted((a, b) => a - b);
        const chunks = sorted.slice(1).map((end, i) => bytes.subarray(sorted[i], end));
        expect(await read(chunks)).toEqual(JSON.parse(JSON.stringify(values)));
      },
    ),
  );
});

test("a stream that breaks off is transient, nonsense is not, a last line may lack its end", async () => {
  expect(await read([Buffer.from('{"a":1}\r\n\n{"b":2}')])).toEqual([{ a: 1 }, { b: 2 }]);
  await expect(read([Buffer.from('{"a":')])).rejects.toMatchObject({ code: "docker-cut" });
  await expect(read([Buffer.from("nonsense\n")])).rejects.toMatchObject({
    name: "TerminalError",
    code: "docker-malformed",
  });
  await expect(read([Buffer.alloc(3 << 20, "x")])).rejects.toMatchObject({
    code: "docker-malformed",
  });
});
