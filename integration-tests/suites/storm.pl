# storm.pl FOLDER: somebody on the host who renames, makes and removes things in FOLDER/storm, renames that, and makes and renames files
# in FOLDER, until he is killed. What else is in FOLDER he leaves alone.
use strict;
use warnings;
use File::Path qw(make_path remove_tree);

my $folder = shift;
my $storm = "$folder/storm";
mkdir $storm;
srand 7;
for (;;) {
    for (1 .. 100) {
        my $one = "$storm/n" . int rand 60;
        my $other = "$storm/n" . int rand 60;
        my $what = int rand 8;
        if ($what == 0) { make_path "$one/x/y", { error => \my $none } }
        elsif ($what == 1) { if (open my $file, '>', $one) { print $file 'x' x rand 9000 } }
        elsif ($what <= 3) { rename $one, $other }
        elsif ($what == 4) { rename "$other/x", $one }
        elsif ($what == 5) { -d $one ? remove_tree $one, { error => \my $none } : unlink $one }
        elsif ($what == 6) { rename $storm, "$folder/aside"; rename "$folder/aside", $storm }
        elsif (open my $file, '>', "$folder/t") { rename "$folder/t", "$folder/u" . int rand 9 }
    }
    select undef, undef, undef, 0.01;
}
