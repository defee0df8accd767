import { expect, test } from "vitest";
import { parseDeliverous } from "../deliverous.ts";
import { type ContainerName, DeployId, Epoch, NodeId, ProjectId } from "../ids.ts";
import { newProject } from "../new-project.ts";
import type { ProjectState } from "../record.ts";
import { findPlaces, findRoutes } from "./routes.ts";
import { settleRoutes } from "./settle-routes.ts";

const WEB = "web" as ContainerName;
const FILE = `web:
  image: app
  domains: [example.org, { domain: example.org/api, port: 3000 }, www.example.org]
  ports: ["8080:80", "25"]
  hold: 5s
idle:
  image: app
`;

const project = (name: string, text = FILE): ProjectState => {
  const parsed = parseDeliverous(text, "Deliverous");
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  const settings = { repository: "r", ref: "refs/heads/main", file: "Deliverous" };
  const state = newProject(ProjectId.parse(name), { ...settings, nodes: [], constraints: [] });
  const containers = Object.entries(parsed.spec.containers).map(([container, spec]) => [
    container,
    { spec, node: NodeId.parse("x"), epoch: Epoch.parse(1), deployId: DeployId.parse("deploy-1") },
  ]);
  return { ...state, containers: Object.fromEntries(containers) };
};

test("each named port of a container is one way in, and each published one", () => {
  const common = { project: "shop", container: "web", holdMs: 5_000 };
  const site = (host: string, path = "/") => ({ host, path });
  expect(findRoutes(project("shop"))).toEqual([
    {
      ...{ ...common, containerPort: 80 },
      way: { kind: "http", domains: [site("example.org"), site("www.example.org")] },
    },
    {
      ...common,
      containerPort: 3_000,
      way: { kind: "http", domains: [site("example.org", "/api")] },
    },
    { ...common, containerPort: 80, way: { kind: "tcp", hostPort: 8_080 } },
    { ...common, containerPort: 25, way: { kind: "tcp", hostPort: 25 } },
  ]);
});

test("a container without a hold of its own is held for thirty seconds", () => {
  const [route] = findRoutes(project("shop", "web: { image: app, domains: [example.org] }"));
  expect(route?.holdMs).toBe(30_000);
});

test("a container at rest is sought on its node alone", () => {
  expect(findPlaces(project("shop"), WEB)).toEqual(["x"]);
  expect(findPlaces(project("shop"), "gone" as ContainerName)).toEqual([]);
});

test("of two projects that want a name or port, the first by name gets it and the other is told", () => {
  const other = "api: { image: app, domains: [example.org, other.org], ports: [25] }";
  const [shop, blog] = [findRoutes(project("shop")), findRoutes(project("blog", other))];
  const { routes, clashes } = settleRoutes([...shop, ...blog]);
  expect(settleRoutes([...blog, ...shop])).toEqual({ routes, clashes });
  const names = routes.flatMap(({ project: owner, way }) =>
    way.kind === "tcp"
      ? [`${owner} :${way.hostPort}`]
      : way.domains.map(({ host, path }) => `${owner} ${host}${path}`),
  );
  expect(names.sort()).toEqual([
    "blog :25",
    "blog example.org/",
    "blog other.org/",
    "shop :8080",
    "shop www.example.org/",
  ]);
  expect(clashes).toEqual([
    { name: "example.org", servedFor: "blog", refusedTo: "shop" },
    { name: ":25", servedFor: "blog", refusedTo: "shop" },
  ]);
});
