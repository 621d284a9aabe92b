/* base/crc32.c: the CRC-32 of IEEE 802.3, zlib and PNG (reflected 0xEDB88320), sixteen bytes a step.
   Kounavis, Berry: "Novel table lookup-based algorithms for high-performance CRC generation", IEEE Trans.
   Computers 2008. */
#include "base/base.h"
#include <endian.h>
#include <string.h>

/* Table k holds the CRC of byte n followed by k zero bytes. A CRC is linear over xor, so eight constants,
   those of the powers of two, give the other 248 entries, and the compiler fills the tables: nothing is
   computed at run time and nothing is mutable. */
#define BIT(n, i, v) ((n) >> (i)&1 ? (v) : 0)
#define XOR8(n, a, b, c, d, e, f, g, h)                                                        \
    (BIT(n, 0, a) ^ BIT(n, 1, b) ^ BIT(n, 2, c) ^ BIT(n, 3, d) ^ BIT(n, 4, e) ^ BIT(n, 5, f) ^ \
     BIT(n, 6, g) ^ BIT(n, 7, h))
#define K0(n, f)                                                                                    \
    f(n, 0x77073096u, 0xEE0E612Cu, 0x076DC419u, 0x0EDB8832u, 0x1DB71064u, 0x3B6E20C8u, 0x76DC4190u, \
      0xEDB88320u)
#define K1(n, f)                                                                                    \
    f(n, 0x191B3141u, 0x32366282u, 0x646CC504u, 0xC8D98A08u, 0x4AC21251u, 0x958424A2u, 0xF0794F05u, \
      0x3B83984Bu)
#define K2(n, f)                                                                                    \
    f(n, 0x01C26A37u, 0x0384D46Eu, 0x0709A8DCu, 0x0E1351B8u, 0x1C26A370u, 0x384D46E0u, 0x709A8DC0u, \
      0xE1351B80u)
#define K3(n, f)                                                                                    \
    f(n, 0xB8BC6765u, 0xAA09C88Bu, 0x8F629757u, 0xC5B428EFu, 0x5019579Fu, 0xA032AF3Eu, 0x9B14583Du, \
      0xED59B63Bu)
#define K4(n, f)                                                                                    \
    f(n, 0x3D6029B0u, 0x7AC05360u, 0xF580A6C0u, 0x30704BC1u, 0x60E09782u, 0xC1C12F04u, 0x58F35849u, \
      0xB1E6B092u)
#define K5(n, f)                                                                                    \
    f(n, 0xCB5CD3A5u, 0x4DC8A10Bu, 0x9B914216u, 0xEC53826Du, 0x03D6029Bu, 0x07AC0536u, 0x0F580A6Cu, \
      0x1EB014D8u)
#define K6(n, f)                                                                                    \
    f(n, 0xA6770BB4u, 0x979F1129u, 0xF44F2413u, 0x33EF4E67u, 0x67DE9CCEu, 0xCFBD399Cu, 0x440B7579u, \
      0x8816EAF2u)
#define K7(n, f)                                                                                    \
    f(n, 0xCCAA009Eu, 0x4225077Du, 0x844A0EFAu, 0xD3E51BB5u, 0x7CBB312Bu, 0xF9766256u, 0x299DC2EDu, \
      0x533B85DAu)
#define K8(n, f)                                                                                    \
    f(n, 0x177B1443u, 0x2EF62886u, 0x5DEC510Cu, 0xBBD8A218u, 0xACC04271u, 0x82F182A3u, 0xDE920307u, \
      0x6655004Fu)
#define K9(n, f)                                                                                    \
    f(n, 0xEFC26B3Eu, 0x04F5D03Du, 0x09EBA07Au, 0x13D740F4u, 0x27AE81E8u, 0x4F5D03D0u, 0x9EBA07A0u, \
      0xE6050901u)
#define K10(n, f)                                                                                   \
    f(n, 0xC18EDFC0u, 0x586CB9C1u, 0xB0D97382u, 0xBAC3E145u, 0xAEF6C4CBu, 0x869C8FD7u, 0xD64819EFu, \
      0x77E1359Fu)
#define K11(n, f)                                                                                   \
    f(n, 0x9BA54C6Fu, 0xEC3B9E9Fu, 0x03063B7Fu, 0x060C76FEu, 0x0C18EDFCu, 0x1831DBF8u, 0x3063B7F0u, \
      0x60C76FE0u)
#define K12(n, f)                                                                                   \
    f(n, 0xDD96D985u, 0x605CB54Bu, 0xC0B96A96u, 0x5A03D36Du, 0xB407A6DAu, 0xB37E4BF5u, 0xBD8D91ABu, \
      0xA06A2517u)
#define K13(n, f)                                                                                   \
    f(n, 0x9D0FE176u, 0xE16EC4ADu, 0x19AC8F1Bu, 0x33591E36u, 0x66B23C6Cu, 0xCD6478D8u, 0x41B9F7F1u, \
      0x8373EFE2u)
#define K14(n, f)                                                                                   \
    f(n, 0xB9FBDBE8u, 0xA886B191u, 0x8A7C6563u, 0xCF89CC87u, 0x44629F4Fu, 0x88C53E9Eu, 0xCAFB7B7Du, \
      0x4E87F0BBu)
#define K15(n, f)                                                                                   \
    f(n, 0xAE689191u, 0x87A02563u, 0xD4314C87u, 0x73139F4Fu, 0xE6273E9Eu, 0x173F7B7Du, 0x2E7EF6FAu, \
      0x5CFDEDF4u)

#define ROW4(k, n)  k(n, XOR8), k((n) + 1, XOR8), k((n) + 2, XOR8), k((n) + 3, XOR8)
#define ROW16(k, n) ROW4(k, n), ROW4(k, (n) + 4), ROW4(k, (n) + 8), ROW4(k, (n) + 12)
#define ROW64(k, n) ROW16(k, n), ROW16(k, (n) + 16), ROW16(k, (n) + 32), ROW16(k, (n) + 48)
#define TABLE(k)                                                \
    {                                                           \
        ROW64(k, 0), ROW64(k, 64), ROW64(k, 128), ROW64(k, 192) \
    }

static const uint32_t table[16][256] = { TABLE(K0),  TABLE(K1),  TABLE(K2),  TABLE(K3),
                                         TABLE(K4),  TABLE(K5),  TABLE(K6),  TABLE(K7),
                                         TABLE(K8),  TABLE(K9),  TABLE(K10), TABLE(K11),
                                         TABLE(K12), TABLE(K13), TABLE(K14), TABLE(K15) };

/* The four bytes of x, the first of them `last` zero bytes away from the end of the step. */
static inline uint32_t four(uint32_t x, int last)
{
    return table[last][x & 255] ^ table[last - 1][x >> 8 & 255] ^ table[last - 2][x >> 16 & 255] ^
           table[last - 3][x >> 24];
}

uint32_t pithp_crc32(uint32_t crc, const void *p, size_t n)
{
    const uint8_t *s = p;
    crc = ~crc;
    for (; n >= 16; n -= 16, s += 16) {
        uint32_t w[4];
        memcpy(w, s, sizeof w);
        crc = four(le32toh(w[0]) ^ crc, 15) ^ four(le32toh(w[1]), 11) ^ four(le32toh(w[2]), 7) ^
              four(le32toh(w[3]), 3);
    }
    while (n--)
        crc = crc >> 8 ^ table[0][(crc ^ *s++) & 255];
    return ~crc;
}
