# npm.sh: installs by the lock file beside it, twice; the second time out of npm's cache, into a folder that it empties first.
set -eu
npm ci --no-audit --no-fund --ignore-scripts --loglevel=error
find node_modules -type f | sort | xargs -d '\n' sha256sum >/tmp/first
npm ci --no-audit --no-fund --ignore-scripts --loglevel=error --offline
sha256sum --quiet -c /tmp/first
for link in node_modules/.bin/*; do
    [ -x "$link" ] || { echo "$link is no program" >&2; exit 1; }
done
mkdir -p node_modules/.cache
node -e '
    const fs = require("fs"), assert = require("assert")
    for (let i = 0; i < 200; i++) {
        fs.writeFileSync("node_modules/.cache/new", `content ${i}`)
        fs.renameSync("node_modules/.cache/new", "node_modules/.cache/now")
        assert.equal(fs.readFileSync("node_modules/.cache/now", "utf8"), `content ${i}`)
    }'
wc -l </tmp/first
rm -rf node_modules
echo fine
