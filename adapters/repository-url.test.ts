import fc from "fast-check";
import { expect, test } from "vitest";
import { checkRepositoryAddress, checkRepositoryUrl } from "./repository-url.ts";

const STRICT = { allowLocalRepositories: false, allowPrivateNetworks: false };
const OPEN = { allowLocalRepositories: true, allowPrivateNetworks: true };

test.for([
  ["https://github.com/a/b.git", "https://github.com:443/a/b.git"],
  ["HTTPS://GitHub.com/a/b", "https://github.com:443/a/b"],
  ["https://git.example.:8443/a/b", "https://git.example.:8443/a/b"],
  ["https://8.8.8.8/a/b", "https://8.8.8.8:443/a/b"],
  ["https://[2606:4700::1]/a", "https://[2606:4700::1]:443/a"],
  ["ssh://git@host.example:2222/a/b.git", "ssh://git@host.example:2222/a/b.git"],
  ["git+ssh://git@host.example/a", "ssh://git@host.example:22/a"],
  ["git@github.com:team/project.git", "ssh://git@github.com:22/team/project.git"],
] as const)("%s is taken as %s", ([url, taken]) => {
  expect(checkRepositoryUrl(url, STRICT).url).toBe(taken);
});

test.for([
  // Programs, options and other doors.
  "ext::sh -c touch% /tmp/x",
  "ext::sh",
  "fd::17",
  "-oProxyCommand=x",
  "--upload-pack=x",
  "git@-oProxyCommand=x:a",
  "ssh://-oProxyCommand=x/a",
  "ssh://git@host.example/-x",
  "ssh://a b@host.example/x",
  "ssh://$(id)@host.example/x",
  "git://github.com/a/b",
  "ftp://github.com/a",
  "data:text/plain,x",
  "http::https://github.com/a",
  // This machine.
  "file:///srv/git/a.git",
  "file://localhost/srv/a",
  "/srv/git/a.git",
  "./a",
  "../a",
  "a",
  "C:\\a",
  // Private, link-local and written so that it does not look so.
  "http://github.com/a",
  "https://127.0.0.1/a",
  "https://127.1/a",
  "https://2130706433/a",
  "https://0x7f.1/a",
  "https://0177.0.0.1/a",
  "https://10.1.2.3/a",
  "https://172.20.0.1/a",
  "https://192.168.0.1/a",
  "https://100.64.0.1/a",
  "https://169.254.169.254/a",
  "https://0.0.0.0/a",
  "https://[::1]/a",
  "https://[::]/a",
  "https://[::ffff:127.0.0.1]/a",
  "https://[::ffff:a9fe:a9fe]/a",
  "https://[fe80::1]/a",
  "https://[fd00::1]/a",
  "https://[64:ff9b::7f00:1]/a",
  "https://[2002:7f00:1::]/a",
  "ssh://git@127.0.0.1/a",
  "git@10.0.0.1:a",
  // Credentials, and forms that parsers read differently.
  "https://user:token@github.com/a",
  "https://token@github.com/a",
  "ssh://git:pass@host.example/a",
  "https://github.com/a?x=1",
  "https://github.com/a#x",
  "https://github.com/",
  "https://",
  "https://good.example\\@evil.example/a",
  "https://github.com/a\n--upload-pack=x",
  "https://github.com/a b",
  " https://github.com/a",
  "https://git_hub.com/a",
  `https://github.com/${"a".repeat(3_000)}`,
  "",
])("47: %j is refused", (url) => {
  expect(() => checkRepositoryUrl(url, STRICT)).toThrow(/is refused/);
});

test("an operator may allow this machine and private networks, never metadata services", () => {
  expect(checkRepositoryUrl("/srv/git/a_b.git", OPEN)).toEqual({
    protocol: "file",
    url: "file:///srv/git/a_b.git",
    path: "/srv/git/a_b.git",
  });
  expect(checkRepositoryUrl("file:///srv/a", OPEN).url).toBe("file:///srv/a");
  expect(checkRepositoryUrl("http://127.0.0.1:3000/a", OPEN)).toMatchObject({
    protocol: "http",
    host: "127.0.0.1",
    port: 3_000,
  });
  expect(checkRepositoryUrl("https://10.0.0.1/a", OPEN)).toMatchObject({ host: "10.0.0.1" });
  for (const url of [
    "ext::sh -c x",
    "http://169.254.169.254/latest",
    "https://[fe80::1]/a",
    "https://[fd00:ec2::254]/a",
    "https://u:p@10.0.0.1/a",
    "file://host/a",
    "file:///a%0ab",
    "file:///a%2520b",
    "file:///a%zz",
    "-x",
  ]) {
    expect(() => checkRepositoryUrl(url, OPEN)).toThrow(/is refused/);
  }
});

test("whatever the text, what is taken is https or ssh to a host with a plain name", () => {
  const piece = fc.constantFrom(
    ..."https:// ssh:// git@ host.example 127.0.0.1 : / @ - .. ext:: \\ % # ? [ ] ::1 file:// a".split(
      " ",
    ),
    "\n",
    " ",
  );
  const url = fc.oneof(
    fc.string(),
    fc.array(piece, { maxLength: 10 }).map((all) => all.join("")),
  );
  fc.assert(
    fc.property(url, (text) => {
      let taken: string;
      try {
        taken = checkRepositoryUrl(text, STRICT).url;
      } catch (error) {
        expect(error).toMatchObject({ code: "repository-refused" });
        return;
      }
      expect(taken).toMatch(
        /^(?:https:\/\/|ssh:\/\/(?:[\w.-]+@)?)(?:[a-z0-9.-]+|\[[0-9a-f:]+\]):\d+\/\S+$/,
      );
      expect(checkRepositoryUrl(taken, STRICT).url).toBe(taken);
    }),
    { numRuns: 2_000 },
  );
});

test("addresses that a name resolves to are judged alike", () => {
  checkRepositoryAddress("140.82.121.3", STRICT);
  for (const address of ["10.0.0.1", "::1", "::ffff:10.0.0.1", "169.254.169.254", "name"]) {
    expect(() => checkRepositoryAddress(address, STRICT)).toThrow(/is refused/);
  }
  checkRepositoryAddress("::ffff:10.0.0.1", OPEN);
  expect(() => checkRepositoryAddress("::ffff:169.254.0.1", OPEN)).toThrow(/is refused/);
});
