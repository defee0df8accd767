/** docs/s3.md as a user follows it: each of its blocks is run, with the real client, on a real gateway. */
import { type ExecFileException, execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { requireAccounts } from "../../functions/spaces/space.ts";
import type { Lab } from "../../infra/lab/connect-lab.ts";
import { ensureDebianPackages, S3_CLIENT_PACKAGES } from "../../infra/lab/debian-packages.ts";
import { attachOrStartLab, FULL_LAB } from "../../infra/lab/lab.ts";
import { openPublishScene, VOLUME } from "./publish-scene.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const DOCUMENT = readFileSync(join(ROOT, "docs/s3.md"), "utf8");
/** Set it to 20000 for a volume of the size that users have: each client copies all of it. */
const FILES = Number(process.env["BAGAGE_PUBLISH_FILES"] ?? 60);
const COMMAND_TIMEOUT_MS = FILES > 1_000 ? 1_200_000 : 60_000;
const signal = AbortSignal.timeout(COMMAND_TIMEOUT_MS * 3);
let lab: Lab;
let scene: Awaited<ReturnType<typeof openPublishScene>>;
let scratch: string;
let environment: Record<string, string>;

interface Answer {
  readonly code: number;
  readonly output: string;
}

const run = (program: string, argv: readonly string[], cwd = scratch): Promise<Answer> =>
  new Promise((resolve) => {
    const options = { cwd, env: environment, maxBuffer: 2 ** 26, timeout: COMMAND_TIMEOUT_MS };
    execFile(program, argv, options, (error: ExecFileException | null, stdout, stderr) =>
      resolve({ code: error === null ? 0 : 1, output: `${stdout}${stderr}` }),
    );
  });
const shell = (script: string): Promise<Answer> => run("bash", ["--norc", "-euc", script]);

/** The block below the heading, as a reader would paste it. */
const blockOf = (heading: string): string => {
  const section = DOCUMENT.split(`\n### ${heading}`)[1]?.split("\n#")[0] ?? "";
  const block = /```\w+\n(.*?)```/s.exec(section)?.[1];
  if (block === undefined) throw new Error(`docs/s3.md has no block for ${heading}`);
  return block;
};

const expectDone = ({ code, output }: Answer): string => {
  expect(code, output).toBe(0);
  return output;
};

beforeAll(async () => {
  lab = await attachOrStartLab(FULL_LAB, console.log, signal);
  await ensureDebianPackages(S3_CLIENT_PACKAGES, signal);
  scene = await openPublishScene(lab, "clients", signal);
  scratch = mkdtempSync(join(tmpdir(), "bagage-clients-"));
  const { space, key, source } = scene;
  const { accounts } = scene.ports.spaces;
  const swift = await requireAccounts({ accounts }).replaceSwiftKey(space.user, signal);
  environment = {
    // Debian's own programs, not what a developer's machine has before them.
    PATH: "/usr/local/bin:/usr/bin:/bin",
    HOME: scratch,
    ENDPOINT: space.endpoint,
    BUCKET: space.bucket,
    VOLUME,
    AWS_ACCESS_KEY_ID: key.accessKeyId,
    AWS_SECRET_ACCESS_KEY: key.secretAccessKey,
    AWS_DEFAULT_REGION: space.region,
    SWIFT_USER: swift.swiftUser,
    SWIFT_KEY: swift.secretKey,
  };
  writeFileSync(join(scratch, "notes.txt"), "notes");
  for (let n = 0; n < 20; n += 1) mkdirSync(join(source, `d${n}`));
  for (let n = 0; n < FILES; n += 1) {
    writeFileSync(
      join(source, `d${n % 20}`, `file ${n}.txt`),
      `content ${n}\n`.repeat(1 + (n % 90)),
    );
  }
  writeFileSync(join(source, "page.html"), "<p>page</p>");
  writeFileSync(join(source, "été.bin"), Buffer.alloc(10 * 2 ** 20, "ten MiB "));
  await scene.snapshot();
  await scene.publish();
}, COMMAND_TIMEOUT_MS * 3);
afterAll(async () => {
  scene?.close();
  if (scratch !== undefined) {
    await run("umount", [join(scratch, "mount")], "/");
    rmSync(scratch, { recursive: true, force: true });
  }
  await lab?.stop(signal);
});

const CLIENTS = [
  { heading: "AWS CLI", copy: "copy-aws", lists: "page.html" },
  { heading: "rclone", copy: "copy-rclone", lists: "page.html" },
  { heading: "s3cmd", copy: "copy-s3cmd", lists: "page.html" },
  { heading: "s3fs: a mount", copy: "copy-s3fs", lists: "page.html" },
];

test.for(CLIENTS)(
  "$heading: lists, copies all of the volume as it is at the snapshot, and writes to the inbox",
  { timeout: COMMAND_TIMEOUT_MS },
  async ({ heading, copy, lists }) => {
    expect(expectDone(await shell(blockOf(heading)))).toContain(lists);
    // Names and contents; a directory has no object of its own.
    expectDone(await run("diff", ["-rq", scene.source, join(scratch, copy)]));
  },
);

test("JavaScript: lists, reads a range, writes to the inbox", async () => {
  const script = blockOf("JavaScript");
  const argv = ["--input-type=module", "-e", script];
  const output = expectDone(await run(process.execPath, argv, ROOT));
  expect(output).toContain("volumes/data/page.html 11");
  expect(output.split("\n")).toContain("page");
});

const listPublished = async (): Promise<string[]> => {
  const names: string[] = [];
  const bucket = scene.ports.spaces.openWith(scene.space);
  for await (const { key } of bucket.list("volumes/", signal)) names.push(key);
  bucket.close();
  return names;
};

test("Swift: lists the same objects", async () => {
  const names = expectDone(await shell(blockOf("Swift")))
    .trim()
    .split("\n");
  expect(names.filter((name) => name.startsWith("volumes/"))).toEqual(await listPublished());
});

test("every client that wrote to the inbox did; rclone finds nothing to copy again", async () => {
  const listed = expectDone(
    await shell(`aws --endpoint-url "$ENDPOINT" s3 ls --recursive "s3://$BUCKET/inbox"`),
  );
  for (const name of ["aws.txt", "rclone.txt", "s3cmd.txt", "sdk.txt", "inbox-s3fs.txt"]) {
    expect(listed).toContain(name);
  }
  const remote = blockOf("rclone").split("\n").slice(0, 3).join("\n");
  const check = `${remote}\nrclone check "shop:$BUCKET/volumes/$VOLUME" "${scene.source}"`;
  expect(expectDone(await shell(check))).toContain("0 differences found");
});

test("every client is refused below volumes/", async () => {
  const remote = blockOf("rclone").split("\n").slice(0, 3).join("\n");
  const writes = [
    `aws --endpoint-url "$ENDPOINT" s3 cp notes.txt "s3://$BUCKET/volumes/$VOLUME/x"`,
    `${remote}\nrclone --retries 1 copyto notes.txt "shop:$BUCKET/volumes/$VOLUME/x"`,
    `s3cmd put notes.txt "s3://$BUCKET/volumes/$VOLUME/x"`,
    `s3cmd del "s3://$BUCKET/volumes/$VOLUME/page.html"`,
    `swift -A "$ENDPOINT/auth/v1.0" -U "$SWIFT_USER" -K "$SWIFT_KEY" upload --object-name volumes/x "$BUCKET" notes.txt`,
  ];
  const answers = await Promise.all(writes.map(shell));
  for (const [index, { code, output }] of answers.entries()) {
    expect(code, `${writes[index]}\n${output}`).not.toBe(0);
  }
  const names = await listPublished();
  expect(names).toContain("volumes/data/page.html");
  expect(names.filter((name) => name.endsWith("/x"))).toEqual([]);
});
