/* The bodies, and the choice of an animal.  Origin: near the centre of the head; unit: the radius of the
 * head; animals seen from the side look right (the picture is mirrored half of the time). */
#include "draw.h"

#include <math.h>

draw_animal draw_animal_new(int cls, draw_rng *pose, draw_rng *body)
{
    static const int poses[20] = { POSE_FACE,     POSE_FACE,     POSE_FACE,     POSE_FACE,  POSE_FACE,
                                   POSE_SIT,      POSE_SIT,      POSE_SIT,      POSE_SIT,   POSE_SIT,
                                   POSE_SIT_SIDE, POSE_SIT_SIDE, POSE_SIT_SIDE, POSE_STAND, POSE_STAND,
                                   POSE_STAND,    POSE_STAND,    POSE_LIE,      POSE_LIE,   POSE_LIE };
    draw_animal a = { .dog = cls == DRAW_DOG, .pose = poses[draw_pick(pose, 20)] };
    a.profile = a.pose == POSE_SIT ? 0 : draw_chance(pose, a.pose == POSE_FACE ? 0.15f : 0.3f);
    a.yaw = draw_uniform(pose, -1, 1);
    a.lid = draw_uniform(pose, 0.7f, 1.0f);
    a.pupil = draw_uniform(pose, 0, 1);
    a.tongue = draw_chance(pose, 0.25f);
    a.step = draw_uniform(pose, -1, 1);
    a.curl = draw_uniform(pose, 0, 1);
    a.fat = draw_uniform(body, 0.88f, 1.15f);
    a.leg = draw_uniform(body, 0.85f, 1.15f);
    a.eye = draw_uniform(body, 0.18f, 0.25f);
    a.ear_turn = draw_uniform(body, -0.14f, 0.14f);
    a.ear_size = draw_uniform(body, 0.92f, 1.22f);
    if (a.dog) {
        float kind = draw_uniform(body, 0, 1);
        a.ear = kind < 0.50f ? EAR_DROP : kind < 0.93f ? EAR_LONG : EAR_PRICKED;
        a.width = draw_uniform(body, 0.84f, 0.98f);
        a.height = draw_uniform(body, 0.86f, 1.0f);
        a.muzzle = draw_uniform(body, 0.95f, 1.25f);
        a.tail = draw_uniform(body, 0.55f, 0.85f);
        a.thick = draw_uniform(body, 0.17f, 0.26f);
    } else {
        a.ear = EAR_POINTED;
        a.width = draw_uniform(body, 0.92f, 1.05f);
        a.height = draw_uniform(body, 0.78f, 0.90f);
        a.muzzle = draw_uniform(body, 0.85f, 1.1f);
        a.tail = draw_uniform(body, 0.9f, 1.2f);
        a.thick = draw_uniform(body, 0.12f, 0.16f);
    }
    return a;
}

/* What a picture should show of each pose, local units, and where the head is: for choosing scale and
 * place. */
void draw_animal_extent(const draw_animal *a, draw_vec *lo, draw_vec *hi, draw_vec *head)
{
    static const float box[POSE_KINDS][6] = {
        { -1.35f, -1.45f, 1.35f, 1.45f, 0, 0 },     { -1.5f, -1.4f, 1.5f, 2.5f, 0, 0 },
        { -1.7f, -1.4f, 1.6f, 2.5f, 0.35f, 0 },     { -2.1f, -1.3f, 2.2f, 2.5f, 1.1f, 0 },
        { -2.0f, -0.9f, 2.0f, 2.1f, 0.75f, 0.35f },
    };
    const float *b = box[a->pose];
    *lo = (draw_vec){ b[0], b[1] };
    *hi = (draw_vec){ b[2], b[3] };
    *head = (draw_vec){ b[4], b[5] };
}

typedef struct {
    draw_canvas *c;
    draw_frame f;
    const draw_animal *a;
    const draw_coat *coat;
} part;

static void put(const part *t, const draw_shape *s, int region, float round, float dim)
{
    draw_paint p = {
        .coat = t->coat, .region = region, .round = round, .line = 1, .shadow = 0.3f, .fur = 1, .dim = dim
    };
    draw_shape_paint(t->c, t->f, s, &p);
}

static void patch(const part *t, float x, float y, float rx, float ry)
{
    draw_paint p = { .coat = t->coat, .region = REGION_CHEST, .soft = 0.12f, .marking = 1 };
    draw_shape s;
    if (!t->coat->white)
        return;
    shape_new(&s, 0);
    shape_ellipse(&s, x, y, rx, ry, 0);
    draw_shape_paint(t->c, t->f, &s, &p);
}

/* A leg from (x,y) to the ground at (fx,fy), with its paw pointing to the right by `toe`. */
static void leg(const part *t, float x, float y, float fx, float fy, float toe, float dim)
{
    draw_shape s;
    shape_new(&s, 0.1f);
    shape_cone(&s, x, y, 0.26f * t->a->fat, fx, fy - 0.1f, 0.17f);
    put(t, &s, REGION_LEG, 0.2f, dim);
    shape_new(&s, 0.05f);
    shape_ellipse(&s, fx + toe, fy - 0.03f, 0.25f, 0.17f, 0);
    put(t, &s, REGION_PAW, 0.16f, dim);
}

static void tail(const part *t, float x, float y, const draw_vec way[3])
{
    const draw_animal *a = t->a;
    float k = a->tail;
    draw_vec p[4] = { { x, y } };
    for (int i = 0; i < 3; i++)
        p[i + 1] = (draw_vec){ x + k * way[i].x, y + k * way[i].y };
    draw_shape s;
    shape_new(&s, 0.02f);
    /* A dog's tail tapers to a brush; a cat's is as thin at its tip as at its root. */
    shape_curve(&s, p, a->thick, a->thick * (a->dog ? 0.55f : 0.8f), 10);
    put(t, &s, REGION_TAIL, 0.16f, 0);
}

static void collar(const part *t, float x, float y, float half, float drop)
{
    if (!t->coat->has_collar)
        return;
    const draw_vec p[4] = { { x - half, y - drop },
                            { x - half * 0.5f, y + drop },
                            { x + half * 0.5f, y + drop },
                            { x + half, y - drop } };
    draw_shape s;
    draw_paint q = { .flat = t->coat->collar, .round = 0.1f, .line = 0.5f };
    shape_new(&s, 0);
    shape_curve(&s, p, 0.1f, 0.1f, 8);
    draw_shape_paint(t->c, t->f, &s, &q);
    q.flat = (draw_rgb){ 0.88f, 0.74f, 0.28f };
    shape_new(&s, 0);
    shape_ellipse(&s, x, y + drop * 0.5f + 0.16f, 0.11f, 0.11f, 0);
    draw_shape_paint(t->c, t->f, &s, &q);
}

static void pose_face(const part *t)
{
    draw_shape s;
    shape_new(&s, 0.4f);
    shape_cone(&s, -0.1f, 1.0f, 0.62f * t->a->fat, -0.1f, 2.9f, 1.25f * t->a->fat);
    put(t, &s, REGION_BODY, 0.7f, 0);
    patch(t, 0, 1.75f, 0.5f, 0.7f);
    collar(t, 0, 1.15f, 0.62f, 0.14f);
}

static void pose_sit(const part *t)
{
    const draw_animal *a = t->a;
    const draw_vec cat[3] = { { 0.9f, 0.35f }, { 1.35f, -0.2f }, { 0.95f - 0.5f * a->curl, -1.2f } };
    const draw_vec dog[3] = { { 0.6f, 0.05f }, { 1.1f, -0.3f }, { 1.2f, -1.0f } };
    draw_shape s;
    tail(t, 0.5f, 1.95f, a->dog ? dog : cat);
    for (int k = -1; k <= 1; k += 2) { /* hind feet and haunches */
        shape_new(&s, 0.15f);
        shape_ellipse(&s, (float)k * 0.62f * a->fat, 1.95f, 0.42f, 0.5f, 0);
        put(t, &s, REGION_BODY, 0.35f, 0);
        shape_new(&s, 0);
        shape_ellipse(&s, (float)k * 0.82f * a->fat, 2.36f, 0.34f, 0.17f, 0);
        put(t, &s, REGION_PAW, 0.16f, 0);
    }
    shape_new(&s, 0.4f);
    shape_cone(&s, 0, 0.85f, 0.58f * a->fat, 0, 1.75f, 0.68f * a->fat);
    put(t, &s, REGION_BODY, 0.6f, 0);
    patch(t, 0, 1.25f, 0.36f, 0.5f);
    leg(t, -0.27f, 1.4f, -0.29f, 2.44f, -0.02f, 0);
    leg(t, 0.27f, 1.4f, 0.29f, 2.44f, 0.02f, 0);
    collar(t, 0, 0.95f, 0.55f, 0.12f);
}

static void pose_sit_side(const part *t)
{
    const draw_animal *a = t->a;
    const draw_vec cat[3] = { { -0.8f, 0.25f }, { -1.2f, -0.1f }, { -0.95f + 0.5f * a->curl, -1.2f } };
    const draw_vec dog[3] = { { -0.5f, 0.1f }, { -0.9f, -0.1f }, { -1.2f, -0.55f } };
    draw_shape s;
    tail(t, -1.0f, 2.2f, a->dog ? dog : cat);
    leg(t, 0.35f, 1.3f, 0.62f + 0.1f * a->step, 2.42f, 0.08f, 0.8f);
    shape_new(&s, 0.4f);
    shape_cone(&s, 0.12f, 0.95f, 0.54f * a->fat, -0.5f, 1.75f, 0.68f * a->fat);
    put(t, &s, REGION_BODY, 0.6f, 0);
    patch(t, 0.42f, 1.3f, 0.25f, 0.4f);
    leg(t, 0.2f, 1.35f, 0.34f, 2.46f, 0.08f, 0);
    shape_new(&s, 0.2f);
    shape_ellipse(&s, -0.52f, 1.92f, 0.55f * a->fat, 0.52f, 0.4f);
    put(t, &s, REGION_BODY, 0.45f, 0);
    shape_new(&s, 0.1f);
    shape_cone(&s, -0.5f, 2.36f, 0.16f, 0.02f, 2.4f, 0.15f);
    put(t, &s, REGION_PAW, 0.16f, 0);
    collar(t, 0.22f, 0.92f, 0.5f, 0.1f);
}

static void pose_stand(const part *t)
{
    const draw_animal *a = t->a;
    const draw_vec cat[3] = { { -0.75f, 0.05f }, { -0.9f, -0.9f }, { -0.35f - 0.8f * a->curl, -1.75f } };
    const draw_vec dog[3] = { { -0.5f, -0.1f }, { -0.85f, -0.5f }, { -0.9f + 0.5f * a->curl, -1.1f } };
    float w = 0.28f * a->step, ground = 1.45f + a->leg;
    draw_shape s;
    tail(t, -1.45f, 1.0f, a->dog ? dog : cat);
    leg(t, 0.75f, 1.3f, 0.75f - w, ground - 0.1f, 0.08f, 0.72f);
    leg(t, -0.95f, 1.3f, -1.0f + w, ground - 0.1f, 0.08f, 0.72f);
    shape_new(&s, 0.35f);
    shape_cone(&s, -1.0f, 1.15f, 0.52f * a->fat, 0.5f, 1.12f, (a->dog ? 0.62f : 0.54f) * a->fat);
    shape_cone(&s, 0.5f, 1.0f, 0.5f, 0.95f, 0.4f, 0.42f);
    put(t, &s, REGION_BODY, 0.5f, 0);
    patch(t, 0.8f, 1.25f, 0.25f, 0.35f);
    leg(t, 0.5f, 1.35f, 0.5f + w, ground, 0.08f, 0);
    leg(t, -1.15f, 1.3f, -1.22f - w, ground, 0.08f, 0);
    collar(t, 0.9f, 0.85f, 0.48f, 0.1f);
}

static void pose_lie(const part *t)
{
    const draw_animal *a = t->a;
    const draw_vec cat[3] = { { -0.9f, 0.5f }, { -0.1f, 0.65f }, { 1.0f, 0.45f } };
    const draw_vec dog[3] = { { -0.4f, 0.1f }, { -0.7f, 0.2f }, { -1.1f, 0.05f - 0.4f * a->curl } };
    draw_shape s;
    if (a->dog)
        tail(t, -1.45f, 1.6f, dog);
    shape_new(&s, 0.1f);
    shape_cone(&s, 0.7f, 1.75f, 0.2f, 1.55f * a->leg, 1.85f, 0.17f);
    put(t, &s, REGION_PAW, 0.18f, 0.8f);
    shape_new(&s, 0.4f);
    shape_cone(&s, -0.85f, 1.35f, 0.66f * a->fat, 0.45f, 1.3f, 0.58f * a->fat);
    put(t, &s, REGION_BODY, 0.55f, 0);
    patch(t, 0.8f, 1.4f, 0.25f, 0.3f);
    shape_new(&s, 0.2f);
    shape_ellipse(&s, -0.95f, 1.5f, 0.58f, 0.48f, -0.3f);
    put(t, &s, REGION_BODY, 0.4f, 0);
    shape_new(&s, 0.1f);
    shape_cone(&s, 0.35f, 1.8f, 0.2f, 1.3f * a->leg, 1.95f, 0.17f);
    put(t, &s, REGION_LEG, 0.18f, 0);
    shape_new(&s, 0);
    shape_ellipse(&s, 1.35f * a->leg, 1.95f, 0.25f, 0.16f, 0);
    put(t, &s, REGION_PAW, 0.16f, 0);
    if (!a->dog)
        tail(t, -1.4f, 1.5f, cat);
    collar(t, 0.7f, 1.1f, 0.5f, 0.1f);
}

void draw_animal_paint(draw_canvas *c, draw_frame f, const draw_animal *a, const draw_coat *coat)
{
    static void (*const bodies[POSE_KINDS])(const part *) = { pose_face, pose_sit, pose_sit_side, pose_stand,
                                                              pose_lie };
    const part t = { c, f, a, coat };
    draw_vec lo, hi, head;
    bodies[a->pose](&t);
    draw_animal_extent(a, &lo, &hi, &head);
    draw_head_paint(c, draw_frame_at(f, head.x, head.y, 0.22f * a->step, 1, 1), a, coat);
}
