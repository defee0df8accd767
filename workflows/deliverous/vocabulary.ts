/** The words of the Deliverous file: its keys by place, examples of each, and Compose's other keys. */
import { ContainerEntry, VolumeEntry } from "./file-schema.ts";

/** Keys by place in a container; "" is the container itself. */
export const KEYS: Readonly<Record<string, readonly string[]>> = {
  "": Object.keys(ContainerEntry.shape),
  volumes: Object.keys(VolumeEntry.shape),
  "volumes.keep": ["last", "hourly", "daily", "weekly", "monthly"],
  healthcheck: ["test", "interval", "timeout", "retries", "start_period", "disable"],
  ports: ["target", "published", "protocol"],
  domains: ["domain", "port"],
  deploy: ["placement"],
  "deploy.placement": ["constraints"],
};

/** One right line for each place. */
export const EXAMPLES: Readonly<Record<string, string>> = {
  "": "image: registry.example/app:1",
  image: "image: registry.example/app:1",
  command: 'command: ["serve", "--port", "80"]',
  entrypoint: 'entrypoint: ["/bin/app"]',
  environment: 'environment: { LANG: "C.UTF-8" }',
  ports: 'ports: ["8080:80"]',
  "ports.target": "target: 80",
  "ports.published": "published: 8080",
  "ports.protocol": "protocol: tcp",
  domains: 'domains: ["example.org", "www.example.org/api"]',
  "domains.domain": "domain: example.org/api",
  "domains.port": "port: 3000",
  hold: "hold: 30s",
  s3: "s3: true",
  user: 'user: "1000:1000"',
  healthcheck: "healthcheck: { test: curl -f http://localhost/ }",
  "healthcheck.test": "test: curl -f http://localhost/",
  "healthcheck.interval": "interval: 10s",
  "healthcheck.timeout": "timeout: 5s",
  "healthcheck.retries": "retries: 3",
  "healthcheck.start_period": "start_period: 30s",
  "healthcheck.disable": "disable: true",
  stop_grace_period: "stop_grace_period: 30s",
  labels: 'labels: { team: "web" }',
  mem_limit: "mem_limit: 512m",
  cpus: "cpus: 0.5",
  deploy: 'deploy: { placement: { constraints: ["node.labels.zone == eu"] } }',
  "deploy.placement": 'placement: { constraints: ["node.labels.zone == eu"] }',
  "deploy.placement.constraints": 'constraints: ["node.labels.zone == eu"]',
  volumes: "- { name: data, path: /var/lib/data }",
  "volumes.name": "name: my-data",
  "volumes.path": "path: /var/lib/data",
  "volumes.read_only": "read_only: true",
  "volumes.snapshot": "snapshot: every 15m",
  "volumes.keep": "keep: { last: 10, daily: 7 }",
  "volumes.keep.last": "last: 10",
  "volumes.keep.hourly": "hourly: 24",
  "volumes.keep.daily": "daily: 7",
  "volumes.keep.weekly": "weekly: 4",
  "volumes.keep.monthly": "monthly: 12",
  "volumes.before_snapshot": 'before_snapshot: ["app", "flush"]',
  "volumes.before_copy": 'before_copy: ["app", "flush"]',
  "volumes.publish": "publish: s3",
  "volumes.from": "from: s3://bucket/prefix",
  "volumes.on_node_loss": "on_node_loss: restore",
  "volumes.max_pause": "max_pause: 5s",
  "volumes.standby": "standby: 1",
};

/** Compose's keys that mean nothing here, and what to do about each. */
export const INSTEAD_OF: Readonly<Record<string, string>> = {
  build: "build and push the image in CI, and name it in `image`",
  cap_add: "remove it: containers run with Docker's default capabilities",
  container_name: "remove it: the name at the top level is the container's",
  depends_on: "remove it: containers start together, let each wait for what it needs",
  env_file: "write the variables in `environment`",
  expose: "use `ports` for what clients reach",
  links: "remove it: use `ports`",
  network_mode: "remove it, and use `ports`",
  networks: "remove it, and use `ports`",
  privileged: "remove it: containers run without privileges of the host",
  replicas: "remove it: a volume has one writer at a time",
  restart: "remove it: a node runs what the record says, and restarts it",
  secrets: "write the variables in `environment`",
};

/** Compose's own top-level keys: a file with these was written for Compose. */
export const COMPOSE_TOP_LEVEL: Readonly<Record<string, string>> = {
  services: "move the containers one level up, to the top of the file",
  version: "remove it",
  networks: "remove it, and use `ports`",
  volumes: "remove it: each container lists its volumes",
  configs: "remove it",
  secrets: "remove it",
};
