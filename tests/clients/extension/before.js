// Before the session's script: the machine that records is nobody's business, and a minute passes in 0.6 seconds.
"use strict";
process.env.APPLICATION_INSIGHTS_NO_STATSBEAT = "1";
process.env.APPLICATION_INSIGHTS_NO_DIAGNOSTIC_CHANNEL = "1";
const os = require("os");
os.release = () => "6.8.0";
os.cpus = () => [{ model: "made up", speed: 1, times: {} }];
os.hostname = () => "made-up";
console.log = console.info = console.warn = console.debug = () => {};

const HURRY = 100;
const timeout = global.setTimeout;
global.setTimeout = (f, ms, ...rest) => timeout(f, (ms || 0) / HURRY, ...rest);

// Errors' stacks stand in some events: they show no folder of this machine, and one of a person who is made up.
Error.prepareStackTrace = (error) => `${error}\n    at made (/home/nobody/extension.js:1:1)`;
