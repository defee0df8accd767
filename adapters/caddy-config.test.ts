import { expect, test } from "vitest";
import { type CaddySettings, type CaddySite, renderCaddyApps } from "./caddy-config.ts";

const AUTO: CaddySettings & { readonly keepsStreams: boolean } = {
  ...{ httpPort: 80, httpsPort: 443, tls: "auto", keepsStreams: true },
};
const site = (host: string, path = "/"): CaddySite => ({ host, path, socket: `/run/${host}.sock` });

interface Server {
  readonly listen: string[];
  readonly routes: { readonly match?: { readonly host: string[]; readonly path?: string[] }[] }[];
  readonly automatic_https?: unknown;
}

const serverOf = (sites: readonly CaddySite[], settings = AUTO): Server => {
  const { mark, apps } = renderCaddyApps(sites, settings);
  const { http } = apps as { readonly http: { readonly servers: Record<string, Server> } };
  const server = http.servers[`bagage-${mark}`];
  if (server === undefined) throw new Error("the server does not carry the mark");
  return server;
};

test("the most exact path comes first, and what nobody has comes last", () => {
  const { routes } = serverOf([site("b.org"), site("a.org"), site("a.org", "/api")]);
  expect(routes.map(({ match }) => match)).toEqual([
    [{ host: ["a.org"], path: ["/api", "/api/*"] }],
    [{ host: ["a.org"] }],
    [{ host: ["b.org"] }],
    undefined,
  ]);
});

test("the mark is that of what is served, in whatever order it came", () => {
  const { mark } = renderCaddyApps([site("a.org"), site("b.org")], AUTO);
  expect(renderCaddyApps([site("b.org"), site("a.org")], AUTO).mark).toBe(mark);
  expect(renderCaddyApps([site("a.org")], AUTO).mark).not.toBe(mark);
  const internal = { ...AUTO, tls: "internal" } as const;
  expect(renderCaddyApps([site("a.org"), site("b.org")], internal).mark).not.toBe(mark);
});

test("without TLS there is one port, and no certificate is asked for", () => {
  const server = serverOf([site("a.org")], { ...AUTO, tls: "off" });
  expect(server).toMatchObject({ listen: [":80"], automatic_https: { disable: true } });
  expect(serverOf([site("a.org")]).listen).toEqual([":443"]);
});
