import { ExitCode, addPath, debug, error, exportVariable, getInput, getState, group, info, saveState, setOutput, setSecret, summary, warning } from "./packages/actions-core.js";

export { ExitCode, addPath, debug, error, exportVariable, getInput, getState, group, info, saveState, setOutput, setSecret, summary, warning };