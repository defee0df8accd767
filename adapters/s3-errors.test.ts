/** Which failures of the store may pass by themselves. */
import { expect, test } from "vitest";
import { RetryableError, TerminalError } from "../volume/errors.ts";
import { translateBucketError, translateS3Error } from "./s3-errors.ts";

const failure = (fields: Readonly<Record<string, unknown>>): Error =>
  Object.assign(new Error("it failed"), fields);

/** EINVAL was once taken for final: a node whose route led into nothing gave up for good. */
test.for(["EINVAL", "EACCES", "ENETDOWN", "ENETUNREACH", "ECONNREFUSED"])(
  "a connection that can't be made (%s) may be made later",
  (code) => {
    const error = failure({ code, syscall: "connect" });
    expect(translateS3Error("GET a", error)).toBeInstanceOf(RetryableError);
  },
);

test("what the store itself refuses stays refused", () => {
  const error = failure({ name: "AccessDenied", $metadata: { httpStatusCode: 403 } });
  expect(translateS3Error("GET a", error)).toBeInstanceOf(TerminalError);
});

/** It once said "NoSuchBucket: UnknownError" and told to run `bagage doctor`, which said the same. */
test("a bucket that is not there is a wrong setting, named with its remedy", () => {
  const fields = { name: "NoSuchBucket", $metadata: { httpStatusCode: 404 } };
  const error = translateS3Error("GET a", Object.assign(new Error("UnknownError"), fields));
  expect(error).toMatchObject({
    message: "store: GET a: NoSuchBucket",
    code: "config-bucket",
    hint: expect.stringContaining("BAGAGE_STORE"),
  });
});

/** An import from a bucket of a wrong name once told to mend BAGAGE_STORE. */
test("a user's bucket that is not there is no wrong setting", () => {
  const fields = { name: "NoSuchBucket", $metadata: { httpStatusCode: 404 } };
  const error = translateBucketError("LIST old/ in elsewhere", Object.assign(new Error(), fields));
  expect(error).toMatchObject({
    message: "store: LIST old/ in elsewhere: there is no such bucket",
    code: "unknown-bucket",
    hint: expect.not.stringContaining("BAGAGE_STORE"),
  });
});
