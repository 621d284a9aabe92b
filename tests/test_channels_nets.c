/* Channels of every family: how many groups there are, and that removing what is zero leaves the logits. */
#include "channels_help.h"

typedef struct {
    const char *name;
    int image, groups;
    int64_t channels, gone;
} net;

/* Groups, by the families' tables:
   efnet-nano    the stem with the first stage, whose block adds to it (16), 9 expansions, 4 stages, the head
   efnet-micro   the stem, 9 expansions, 10 squeezes, 7 stages, the head
   efnet-b0      the stem, 15 expansions, 16 squeezes, 7 stages, the head; lite0 without squeezes
   mobilenet-v1  the stem, 13 blocks; mobilenet-v2: the stem, 16 expansions, 7 stages, the head
   resnet8       three stages (the stem is of the first), and in each the first convolution of its block
   lenet         two convolutions, one dense layer */
static const net nets[] = { { "efnet-nano", 32, 15, 2512, 0 },   { "efnet-micro", 32, 28, 3760, 0 },
                            { "efnet-b0", 32, 40, 11404, 0 },    { "efnet-lite0", 32, 24, 11024, 0 },
                            { "mobilenet-v1", 32, 14, 5984, 0 }, { "mobilenet-v2", 32, 25, 9128, 0 },
                            { "resnet8", 32, 6, 224, 0 },        { "lenet", 28, 3, 570, 0 } };

START_TEST(groups_and_proof)
{
    const net *k = &nets[_i];
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .seed = 2, .threads = 1 });
    pith_model *m = pith_model_family(c, k->name, (pith_family_cfg){ .image_size = k->image });
    ck_assert_msg(m != NULL, "%s", pith_error_text(c));
    stir(m, strstr(k->name, "micro") || strstr(k->name, "b0") ? 10 : 3);
    pith_channels *ch = pith_channels_find(m);
    pith_channel_group f;
    int64_t channels = 0;
    int groups = 0;
    for (; pith_channels_group(ch, groups, &f); groups++) {
        channels += f.channels;
        if (getenv("SHOW"))
            printf("%s: %s %lld (%d layers)\n", k->name, f.name, (long long)f.channels, f.layers);
    }
    pith_channels_free(ch);
    suite_check(groups == k->groups && channels == k->channels, "%s: %d groups, %lld channels", k->name,
                groups, (long long)channels);
    pith_model_facts before = pith_model_info(m), after;
    int64_t gone = prove(m, 0.4, 2e-5);
    after = pith_model_info(m);
    suite_check(gone > channels / 4, "%s: %lld went", k->name, (long long)gone);
    suite_check(after.macs < before.macs * 7 / 10 && after.parameters < before.parameters * 7 / 10, "%s",
                k->name);
    pith_ctx_free(c);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("channels_nets");
    TCase *t = suite_case(s, "groups_and_proof");
    tcase_add_loop_test(t, groups_and_proof, 0, PITHP_LEN(nets));
    return suite_run("channels_nets", s);
}
