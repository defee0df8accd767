/**
 * The main job, on one machine, before one's eyes: two nodes with real Docker engines, a git push, an
 * application with its data, another push, and the data on the other node. Sets up all of it, tells
 * what it does, and removes it again. `--ceph` puts a real Ceph RGW in the directory store's place.
 */
import { randomBytes } from "node:crypto";
import { formatBytes, formatMs } from "../../cli/format.ts";
import { showEnded } from "../../cli/show-deploy.ts";
import { EndedDeploy } from "../../workflows/record.ts";
import { type Installation, install } from "../lab/installation.ts";
import { STOP_TIMEOUT_MS, startLab } from "../lab/lab.ts";
import { createRepository } from "../lab/repository.ts";
import { waitUntil } from "../lab/wait-until.ts";
import { readFlags } from "../read-flags.ts";

const PROJECT = "notes";
const PORT = 8080;
const UPLOAD_BYTES = 8 * 2 ** 20;
const DEPLOY_TIMEOUT_MS = 180_000;

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

const deliverous = (version: number, disk: string): string => `web:
    image: bagage-demo:${version}
    ports:
    - "${PORT}:8080"
    healthcheck:
      test: ["CMD", "node", "-e", "fetch('http://127.0.0.1:8080/health').then(r => process.exit(r.ok ? 0 : 1))"]
    deploy:
      placement:
        constraints:
        - node.labels.disk == ${disk}
    volumes:
    - name: mes_data
      path: /var/lib/data
`;

const ask = async (url: string, init?: RequestInit): Promise<string> => {
  const response = await fetch(url, init);
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
  return response.text();
};

const OPEN_TIMEOUT_MS = 30_000;

/** The node opens its ports a moment after the commit, when it has read of it. */
const askOnceOpen = (url: string): Promise<string> =>
  waitUntil(
    () => ask(url),
    { what: `an answer of ${url}`, timeoutMs: OPEN_TIMEOUT_MS },
    AbortSignal.timeout(2 * OPEN_TIMEOUT_MS),
  );

/** The deploy of the commit, once it has ended well. */
const waitForDeploy = async (installation: Installation, commit: string): Promise<EndedDeploy> => {
  const ended = await waitUntil(
    async () => {
      const { stdout } = await installation.cli("history", PROJECT, "--json");
      return EndedDeploy.array()
        .parse(JSON.parse(stdout))
        .find((deploy) => deploy.commit === commit);
    },
    { what: `the deploy of ${commit}`, timeoutMs: DEPLOY_TIMEOUT_MS },
    AbortSignal.timeout(DEPLOY_TIMEOUT_MS),
  );
  if (ended.result !== "deployed") throw new Error(`the deploy ${ended.result}: ${ended.reason}`);
  return ended;
};

const main = async (): Promise<void> => {
  const values = readFlags("demo", { ceph: { type: "boolean", default: false } });
  const signal = AbortSignal.timeout(15 * 60_000);
  say("1. Setting up: two nodes, x and y, each with its own network and Docker engine");
  const parts = { engines: 2, gateways: values.ceph ? 1 : 0, elasticmq: false };
  const lab = await startLab(parts, (line) => say(`   ${line}`), signal);
  const installation = await install(lab, {
    name: "demo",
    store: values.ceph ? "s3" : "directory",
    queue: "embedded",
    nodeLabels: { x: "disk=hdd", y: "disk=ssd" },
  });
  try {
    await tell(
      installation,
      lab.nodes.map(({ address }) => address),
    );
  } catch (error) {
    say(`   the logs are in ${installation.directory}`);
    throw error;
  } finally {
    say("6. Cleaning up");
    await installation.close();
    await lab.stop(AbortSignal.timeout(STOP_TIMEOUT_MS));
  }
};

const tell = async (installation: Installation, [x, y]: string[]): Promise<void> => {
  await installation.startServe();
  await Promise.all([installation.startNode("x"), installation.startNode("y")]);
  const secret = randomBytes(24).toString("hex");
  const repository = await createRepository(`${installation.directory}/git`, {
    url: installation.url,
    project: PROJECT,
    secret,
  });
  const added = await installation.cli(
    "project",
    "add",
    PROJECT,
    "--repository",
    repository.url,
    "--secret",
    secret,
  );
  if (added.code !== 0) throw new Error(added.stderr);

  say("2. git push of version 1: its Deliverous file asks for node.labels.disk == hdd");
  const first = await repository.push({ Deliverous: deliverous(1, "hdd") }, "Version 1");
  say(showEnded(await waitForDeploy(installation, first.commit)).join("\n"));

  const one = `http://${x}:${PORT}`;
  const two = `http://${y}:${PORT}`;
  say(`3. Writing data through ${one}: notes into SQLite, and an upload`);
  say(`   ${(await askOnceOpen(one)).trim()}`);
  for (const text of ["il pleut", "des cordes", "sur la gare"]) {
    await ask(`${one}/notes`, {
      method: "POST",
      body: JSON.stringify({ text }),
      headers: { "content-type": "application/json" },
    });
  }
  const upload = randomBytes(UPLOAD_BYTES);
  await ask(`${one}/files/photo.bin`, { method: "PUT", body: upload });
  const notes = await ask(`${one}/notes`);

  say("4. git push of version 2: it asks for node.labels.disk == ssd, which only y has");
  const second = await repository.push({ Deliverous: deliverous(2, "ssd") }, "Version 2");
  const moved = await waitForDeploy(installation, second.commit);
  say(showEnded(moved).join("\n"));

  say(`5. Reading it back through ${two}`);
  say(`   ${(await askOnceOpen(two)).trim()}`);
  const photo = Buffer.from(await (await fetch(`${two}/files/photo.bin`)).arrayBuffer());
  const noteTexts = (json: string) =>
    (JSON.parse(json) as { text: string }[]).map(({ text }) => text);
  const sameNotes =
    JSON.stringify(noteTexts(await ask(`${two}/notes`))) === JSON.stringify(noteTexts(notes));
  if (!sameNotes || !photo.equals(upload)) throw new Error("the data are not the same");
  say(
    `   ${noteTexts(notes).length} notes and an upload of ${formatBytes(upload.length)}: the same, byte for byte`,
  );
  say(
    `   The gap, from the stop of version 1 to the first health of version 2: ${formatMs(moved.gapMs ?? 0)}`,
  );
};

await main();
process.exit(0);
