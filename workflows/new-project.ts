/** The state that a project begins with: configured, and nothing deployed. */
import { Epoch, type ProjectId } from "./ids.ts";
import type { ProjectSettings } from "./project-settings.ts";
import type { ProjectState } from "./record.ts";

export const newProject = (project: ProjectId, settings: ProjectSettings): ProjectState => ({
  project,
  settings,
  epochCounter: Epoch.parse(0),
  commit: null,
  containers: {},
  volumes: {},
  deploy: null,
  desired: null,
  history: [],
  endedAttempts: [],
  encryption: null,
  owedReplacement: null,
});
