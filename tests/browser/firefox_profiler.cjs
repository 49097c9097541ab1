// What the Firefox profiler makes of a profile, asked of its own code in this very process.
//
//     node firefox_profiler.cjs PROFILER-CLI.JS PROFILE.JSON
//
// prints its threads, their markers and the stacks of those that have one, as JSON. The program
// itself answers through a daemon, and a question that comes too early deletes the daemon's files:
// there is no moment that one may wait for. So its code is loaded here without its command line.
"use strict";

const fs = require("node:fs");
const Module = require("node:module");

const QUERIER = /\.querier=await ([\w$]+)\.load\(/; // the class that answers, under its short name
const START = /[\w$]+\(\)\.catch\([\w$]+=>\{console\.error\(`Fatal error/; // of the command line

function querierClass(path) {
  const source = fs.readFileSync(path, "utf8").replace(/^#!.*/, "");
  const name = QUERIER.exec(source)?.[1];
  const start = START.exec(source);
  if (!name || !start) throw new Error(`${path}: not the release that this was written for`);
  const loaded = new Module(path, null);
  loaded.filename = path;
  loaded._compile(`${source.slice(0, start.index)};module.exports=${name};`, path);
  return loaded.exports;
}

async function answers(program, profile) {
  const querier = await querierClass(program).load(profile, { skipSymbolication: true });
  const { threads } = await querier.threadList({});
  const markers = {};
  const stacks = {};
  for (const { threadHandle } of threads) {
    const found = await querier.threadMarkers(threadHandle, { list: true });
    markers[threadHandle] = found.flatMarkers;
    for (const { handle, hasStack } of found.flatMarkers) {
      if (hasStack) stacks[handle] = (await querier.markerStack(handle)).stack.frames;
    }
  }
  return { threads, markers, stacks };
}

console.log = console.error; // the profiler tells there what it does
answers(process.argv[2], process.argv[3]).then((found) => {
  fs.writeFileSync(1, JSON.stringify(found));
});
