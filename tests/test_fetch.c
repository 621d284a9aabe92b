/* datasets/fetch, on archives that are made here and fetched from file:// addresses. */
#include "base/base.h"
#include "data_help.h"
#include "suite.h"
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- A zip archive of stored files (PKWARE's APPNOTE, 4.3) ------------------------------------------------------ */

typedef struct {
    const char *name;
    const char *text;
    uint32_t mode; /* of Unix; 0: a plain file */
} member;

static void le(bytes *b, uint64_t v, int n)
{
    for (int i = 0; i < n; i++, v >>= 8) {
        uint8_t byte = (uint8_t)v;
        bytes_add(b, &byte, 1);
    }
}

/* What a local header and the central directory have in common. */
static void common(bytes *b, const member *m)
{
    size_t n = strlen(m->text);
    le(b, 10, 2); /* version that is needed */
    le(b, 0, 8);  /* flags, stored, time, date */
    le(b, pithp_crc32(0, m->text, n), 4);
    le(b, n, 4);
    le(b, n, 4);
    le(b, strlen(m->name), 2);
    le(b, 0, 2);
}

static bytes zip(const member *m, size_t n)
{
    bytes b = { 0 }, directory = { 0 };
    for (size_t i = 0; i < n; i++) {
        size_t offset = b.n;
        le(&b, 0x04034b50, 4);
        common(&b, &m[i]);
        bytes_add(&b, m[i].name, strlen(m[i].name));
        bytes_add(&b, m[i].text, strlen(m[i].text));
        le(&directory, 0x02014b50, 4);
        le(&directory, 3 << 8 | 20, 2); /* made on Unix */
        common(&directory, &m[i]);
        le(&directory, 0, 6); /* no comment, disk 0, binary */
        le(&directory, (m[i].mode ? m[i].mode : 0100644u) << 16, 4);
        le(&directory, offset, 4);
        bytes_add(&directory, m[i].name, strlen(m[i].name));
    }
    size_t start = b.n;
    bytes_add(&b, directory.p, directory.n);
    le(&b, 0x06054b50, 4);
    le(&b, 0, 4);
    le(&b, n, 2);
    le(&b, n, 2);
    le(&b, directory.n, 4);
    le(&b, start, 4);
    le(&b, 0, 2);
    bytes_free(&directory);
    return b;
}

static const member good[] = { { "PetImages/Cat/0.jpg", "a cat", 0 },
                               { "PetImages/Cat/666.jpg", "", 0 },
                               { "PetImages/Dog/0.jpg", "a dog, of more bytes than the cat has", 0 },
                               { "PetImages/Dog/Thumbs.db", "litter", 0 },
                               { "readme[1].txt", "read me", 0 } };

/* ---- Running it -------------------------------------------------------------------------------------------------- */

static char said[16384]; /* by the last run, both streams */

static int shell(const char *fmt, ...)
{
    char command[8192];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(command, sizeof command, fmt, ap);
    va_end(ap);
    FILE *f = popen(command, "r");
    if (!f)
        return 127;
    size_t n = fread(said, 1, sizeof said - 1, f);
    said[n] = 0;
    int status = pclose(f);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static char script[4096], archive[2200], sum[65];
static size_t archive_bytes;

/* Puts an archive where the next runs find it. */
static void publish(bytes b)
{
    snprintf(archive, sizeof archive, "%s", at("site/a.zip"));
    put(archive, b.p, b.n);
    archive_bytes = b.n;
    bytes_free(&b);
    ck_assert_int_eq(shell("sha256sum <'%s'", archive), 0);
    memcpy(sum, said, 64);
}

/* `before` stands before the command: limits, another PATH. */
static int fetch(const char *before, const char *dir, const char *more)
{
    return shell("%s sh '%s' --url 'file://%s' --size %zu --sha256 %s -o '%s' %s 2>&1", before, script,
                 archive, archive_bytes, sum, dir, more);
}

static void expect(int status, int wanted, const char *word)
{
    ck_assert_msg(status == wanted && strstr(said, word), "status %d, expected %d and \"%s\":\n%s", status,
                  wanted, word, said);
}

static void expect_photographs(const char *dir)
{
    static const char *const name[] = { "Cat/0.jpg", "Cat/666.jpg", "Dog/0.jpg" };
    char path[2400];
    struct stat st;
    for (size_t i = 0; i < PITHP_LEN(name); i++) {
        snprintf(path, sizeof path, "%s/PetImages/%s", dir, name[i]);
        ck_assert_msg(!stat(path, &st) && (size_t)st.st_size == strlen(good[i].text), "%s", path);
    }
}

static bool is_there(const char *path) { return access(path, F_OK) == 0; }

/* Nothing but the archive's part may be left of a run that failed. */
static void expect_nothing_unpacked(const char *dir)
{
    ck_assert_int_eq(shell("ls -A '%s' 2>/dev/null | grep -v 'zip.part$'", dir), 1);
}

static void setup(void) { publish(zip(good, PITHP_LEN(good))); }

START_TEST(fetched_and_unpacked)
{
    char dir[2100];
    snprintf(dir, sizeof dir, "%s", at("with space/here"));
    expect(fetch("", dir, ""), 0, "done:");
    expect_photographs(dir);
    ck_assert_ptr_nonnull(strstr(said, "Cat/: 2 files"));
    ck_assert(is_there(at("with space/here/readme[1].txt")));
    ck_assert(!is_there(at("with space/here/kagglecatsanddogs.zip.part")));
    expect(fetch("", dir, ""), 0, "here already");
    expect(fetch("", at("kept"), "--keep"), 0, "done:");
    ck_assert(is_there(at("kept/kagglecatsanddogs.zip")));
}
END_TEST

/* From every place where a download may have broken off; that the part which was there is not loaded again shows where it
   is another file's. */
START_TEST(broken_download_resumed)
{
    bytes b = slurp(archive);
    for (size_t n = 1; n <= b.n; n += 97) {
        put(at("again/kagglecatsanddogs.zip.part"), b.p, n);
        expect(fetch("", at("again"), ""), 0, "done:");
        if (n < b.n)
            ck_assert_ptr_nonnull(strstr(said, "going on at"));
        expect_photographs(at("again"));
        ck_assert_int_eq(shell("rm -rf '%s'", at("again")), 0);
    }
    b.p[0] ^= 1;
    put(at("again/kagglecatsanddogs.zip.part"), b.p, b.n / 2);
    expect(fetch("", at("again"), ""), 1, "damaged or another file");
    expect(fetch("", at("again"), ""), 0, "done:"); /* the damaged one was removed */
    ck_assert_int_eq(shell("rm -rf '%s'", at("again")), 0);
    bytes_add(&b, "more than there should be", 25);
    put(at("again/kagglecatsanddogs.zip.part"), b.p, b.n);
    expect(fetch("", at("again"), ""), 0, "starting again");
    expect_photographs(at("again"));
    bytes_free(&b);
}
END_TEST

START_TEST(source_broken_off)
{
    bytes b = slurp(archive);
    put(archive, b.p, b.n / 2);
    expect(fetch("", at("short"), ""), 1, "give the same command again to go on");
    expect_nothing_unpacked(at("short"));
    ck_assert(is_there(at("short/kagglecatsanddogs.zip.part")));
    put(archive, b.p, b.n); /* the network is back */
    expect(fetch("", at("short"), ""), 0, "going on at");
    expect_photographs(at("short"));
    bytes_add(&b, "tail", 4);
    put(archive, b.p, b.n);
    expect(fetch("", at("long"), ""), 1, "this is another file");
    expect_nothing_unpacked(at("long"));
    ck_assert_int_eq(unlink(archive), 0);
    expect(fetch("", at("gone"), ""), 1, "the download stopped at 0 of");
    bytes_free(&b);
}
END_TEST

START_TEST(wrong_hash)
{
    sum[5] = sum[5] == '0' ? '1' : '0';
    expect(fetch("", at("hash"), ""), 1, "expected");
    ck_assert_ptr_nonnull(strstr(said, sum));
    expect_nothing_unpacked(at("hash"));
    ck_assert(!is_there(at("hash/kagglecatsanddogs.zip.part")));
}
END_TEST

/* A disk without room: seen beforehand, or met while writing (a limit on file sizes gives the same error). */
START_TEST(no_room)
{
    put(at("bin/df"), "#!/bin/sh\necho head\necho x 9 9 0 100% /\n", 41);
    ck_assert_int_eq(chmod(at("bin/df"), 0755), 0);
    char before[3000];
    snprintf(before, sizeof before, "PATH='%s':\"$PATH\"", at("bin"));
    expect(fetch(before, at("full"), ""), 1, "the disk has 0 MB left");
    expect_nothing_unpacked(at("full"));
    uint8_t *big = calloc(1, 300000); /* its place in the file is beyond every member */
    bytes b = slurp(archive);
    bytes_add(&b, big, 300000);
    free(big);
    publish(b);
    expect(fetch("trap '' XFSZ; ulimit -f 100;", at("full2"), ""), 1, "the download stopped at");
    expect_nothing_unpacked(at("full2"));
    expect(fetch("", "/proc/pith-fetch", ""), 1, "/proc/pith-fetch: this folder cannot be made");
    put(at("file"), "x", 1);
    expect(fetch("", at("file/below"), ""), 1, "cannot be made");
    if (geteuid()) {
        ck_assert(!mkdir(at("closed"), 0555));
        expect(fetch("", at("closed"), ""), 1, "cannot be written");
    }
}
END_TEST

START_TEST(hostile_archives)
{
    static const struct {
        member m[2];
        size_t n;
        const char *word;
    } t[] = {
        { { { "PetImages/Cat/0.jpg", "cat", 0 }, { "../evil.jpg", "x", 0 } }, 2, "leads out" },
        { { { "PetImages/Cat/0.jpg", "cat", 0 }, { "PetImages/../../evil.jpg", "x", 0 } }, 2, "leads out" },
        { { { "PetImages/Cat/0.jpg", "cat", 0 }, { "PetImages/..", "x", 0 } }, 2, "leads out" },
        { { { "PetImages/Cat/0.jpg", "cat", 0 }, { "/tmp/pith-evil.jpg", "x", 0 } }, 2, "leads out" },
        { { { "PetImages/Cat/0.jpg", "cat", 0 }, { "C:/evil.jpg", "x", 0 } }, 2, "leads out" },
        { { { "PetImages/Cat/0.jpg", "cat", 0 }, { "..\\evil.jpg", "x", 0 } }, 2, "leads out" },
        { { { "PetImages", "/tmp", 0120777 }, { "PetImages/evil.jpg", "x", 0 } }, 2, "a link or a device" },
        { { { "PetImages/Cat/0.jpg", "cat", 0 }, { "PetImages/Dog", "../..", 0120777 } },
          2,
          "a link or a device" },
        { { { "PetImages/Cat/0.jpg", "cat", 0 }, { "PetImages/pipe", "", 010644 } },
          2,
          "a link or a device" },
        { { { "Photos/Cat/0.jpg", "cat", 0 } }, 1, "no folder PetImages" }
    };
    for (size_t i = 0; i < PITHP_LEN(t); i++) {
        publish(zip(t[i].m, t[i].n));
        expect(fetch("", at("in/evil%zu", i), ""), 1, t[i].word);
        expect_nothing_unpacked(at("in/evil%zu", i));
        ck_assert(!is_there(at("in/evil.jpg")) && !is_there(at("evil.jpg")) &&
                  !is_there("/tmp/pith-evil.jpg"));
    }
    bytes b = { 0 };
    bytes_add(&b, "no archive at all, but the hash is right", 40);
    publish(b);
    expect(fetch("", at("in/text"), ""), 1, "unzip cannot read it");
    b = zip(good, PITHP_LEN(good));
    b.n -= 30; /* the end of the directory is missing */
    publish(b);
    expect(fetch("", at("in/cut"), ""), 1, "unzip");
    expect_nothing_unpacked(at("in/cut"));
}
END_TEST

/* A PATH with the tools the script needs but for one or two. */
static void tools(const char *dir, const char *without)
{
    ck_assert_int_eq(
        shell(
            "mkdir -p '%s' && cd '%s' && for t in sh awk cat cut df find grep head mkdir mv rm sed sha256sum "
            "tail tr wc curl wget unzip; do case ' %s ' in *\" $t \"*) ;; *) p=$(command -v $t) && ln -sf "
            "\"$p\" "
            "$t ;; esac; done",
            dir, dir, without),
        0);
}

START_TEST(tools_missing)
{
    char path[3000];
    tools(at("t1"), "curl wget");
    snprintf(path, sizeof path, "PATH='%s'", at("t1"));
    expect(fetch(path, at("m"), ""), 1, "missing: curl (Debian: apt-get install curl)");
    tools(at("t2"), "curl wget unzip");
    snprintf(path, sizeof path, "PATH='%s'", at("t2"));
    expect(fetch(path, at("m"), ""), 1, "missing: curl unzip (Debian: apt-get install curl unzip)");
    ck_assert(!is_there(at("m")));
    /* Where wget is all there is, it is told to go on. It knows no file://, so another stands for it. */
    static const char fake[] =
        "#!/bin/sh\nfor a; do case $a in --continue) go=yes ;; --output-document=*) out=${a#*=} ;; "
        "file://*) in=${a#file://} ;; esac; done\n[ $go = yes ] || exit 9\n"
        "tail -c +$(($(wc -c <\"$out\") + 1)) \"$in\" >>\"$out\"\n";
    tools(at("t3"), "curl wget");
    put(at("t3/wget"), fake, sizeof fake - 1);
    ck_assert_int_eq(chmod(at("t3/wget"), 0755), 0);
    snprintf(path, sizeof path, "PATH='%s'", at("t3"));
    bytes b = slurp(archive);
    put(at("w/kagglecatsanddogs.zip.part"), b.p, 100);
    bytes_free(&b);
    expect(fetch(path, at("w"), ""), 0, "going on at 100 of");
    expect_photographs(at("w"));
}
END_TEST

START_TEST(wrong_use)
{
    static const char *const t[][2] = { { "--size 12x", "no number of bytes" },
                                        { "--size 0", "no number of bytes" },
                                        { "--size 99999999999999999999", "no number of bytes" },
                                        { "--sha256 abc", "64 digits" },
                                        { "--sha256 $(printf %064d 0 | tr 0 Z)", "small letters" },
                                        { "--url ftp://example.org/x", "is no http://" },
                                        { "--url", "needs a value" },
                                        { "--frobnicate", "is no option" },
                                        { "photographs", "is no option" },
                                        { "-o ''", "name of a folder" } };
    for (size_t i = 0; i < PITHP_LEN(t); i++)
        expect(fetch("", at("use"), t[i][0]), 2, t[i][1]);
    ck_assert(!is_there(at("use")));
    expect(shell("sh '%s' --help", script), 0, "usage: datasets/fetch");
    /* The real archive's facts stand in the script. */
    expect(shell("grep -c -e '^size=824887076$' -e "
                 "'^sha256=b7974bd00a84a99921f36ee4403f089853777b5ae8d151c76a86e64900334af9$' -e "
                 "'^url=https://download.microsoft.com/.*/kagglecatsanddogs_5340.zip$' '%s'",
                 script),
           0, "3\n");
}
END_TEST

int main(void)
{
    char *path = suite_file("datasets/fetch");
    char *real = realpath(path, NULL);
    free(path);
    snprintf(script, sizeof script, "%s", real ? real : "datasets/fetch");
    free(real);
    if (shell("command -v curl && command -v unzip && command -v sha256sum"))
        suite_skip("curl, unzip and sha256sum are needed to try datasets/fetch (Debian: apt-get install curl "
                   "unzip)");
    Suite *s = suite_create("fetch");
    TCase *t = suite_case(s, "fetch");
    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, fetched_and_unpacked);
    tcase_add_test(t, broken_download_resumed);
    tcase_add_test(t, source_broken_off);
    tcase_add_test(t, wrong_hash);
    tcase_add_test(t, no_room);
    tcase_add_test(t, hostile_archives);
    tcase_add_test(t, tools_missing);
    tcase_add_test(t, wrong_use);
    return suite_run("fetch", s);
}
