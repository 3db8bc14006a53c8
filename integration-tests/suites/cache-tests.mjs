// node cache-tests.mjs BASE PROXY|direct FILE: runs http-tests/cache-tests with all requests through PROXY; verdicts to FILE.
import { runTests, getResults } from './node_modules/http-cache-tests/client/runner.mjs'
import tests from './node_modules/http-cache-tests/tests/index.mjs'
import surrogate from './node_modules/http-cache-tests/tests/surrogate-control.mjs'
import { Agent, ProxyAgent, fetch, setGlobalDispatcher } from 'undici'
import { writeFileSync } from 'node:fs'

const [base, proxy, file] = process.argv.slice(2)
setGlobalDispatcher(proxy === 'direct' ? new Agent() : new ProxyAgent({ uri: proxy, proxyTunnel: false }))
await runTests([...tests, surrogate], fetch, false, base)
writeFileSync(file, JSON.stringify(getResults()))
process.exit(0)
