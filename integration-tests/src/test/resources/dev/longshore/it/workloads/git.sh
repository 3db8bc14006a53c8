# git.sh FILES: a repository of so many files, in a folder where nothing is but it. Prints "fine" at the end.
set -eu
files=$1
git config --global user.name tester
git config --global user.email tester@example.com
git config --global init.defaultBranch main
git config --global gc.auto 0

clean() {
    said=$(git status --porcelain)
    [ -z "$said" ] || { echo "git status in $PWD: $said" >&2; exit 1; }
}

git init -q one
cd one
n=0
while [ $n -lt "$files" ]; do
    [ $((n % 100)) != 0 ] || mkdir d$((n / 100))
    echo "file $n, and what else a line of a file holds" >d$((n / 100))/f$n
    n=$((n + 1))
done
git add -A
git commit -q -m first
clean
echo more >>d0/f1
git mv d0/f2 d0/moved
rm d0/f3
ln -s d0/f1 link
chmod +x d0/f4
[ "$(git status --porcelain | sort)" = ' D d0/f3
 M d0/f1
 M d0/f4
?? link
R  d0/f2 -> d0/moved' ] || { git status --porcelain; exit 1; }
git add -A
git commit -q -m second
cd ..

git clone -q one two
git clone -q --no-local one three
cd two
git gc -q --prune=now
git fsck --full --strict
clean
echo theirs >>d0/f5
git commit -q -a -m third
git repack -q -a -d -f
git checkout -q HEAD~2
git checkout -q main
clean
cd ../three
git pull -q ../two main
git fsck --full --strict
clean
cd ..
diff -r --exclude=.git two three
[ "$(git -C three ls-files | wc -l)" = "$files" ]
rm -rf two
echo fine
