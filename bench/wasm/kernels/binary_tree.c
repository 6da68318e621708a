/* A search tree that stays balanced by chance (a treap): for a unit of scale it grows to a thousand
 * random keys and is walked through. */
#include "kernel.h"

enum { NODES = 1000 };

struct node {
    struct node *left, *right;
    uint32_t key, priority;
};

static struct node arena[NODES];

static struct node *insert(struct node *tree, struct node *node)
{
    struct node *child;

    if (tree == NULL)
        return node;
    if (node->key < tree->key) {
        tree->left = child = insert(tree->left, node);
        if (child->priority > tree->priority) {
            tree->left = child->right;
            child->right = tree;
            return child;
        }
    } else {
        tree->right = child = insert(tree->right, node);
        if (child->priority > tree->priority) {
            tree->right = child->left;
            child->left = tree;
            return child;
        }
    }
    return tree;
}

/* In order, with the depth of each. */
static uint32_t walk(const struct node *tree, uint32_t sum, uint32_t depth)
{
    if (tree == NULL)
        return sum;
    sum = walk(tree->left, sum, depth + 1);
    sum = sum * 31 + (tree->key ^ depth);
    return walk(tree->right, sum, depth + 1);
}

int32_t run(int32_t scale)
{
    uint32_t seed = 16, sum = 0;

    for (int32_t round = 0; round < scale; round++) {
        struct node *tree = NULL;

        for (int i = 0; i < NODES; i++) {
            uint32_t key = random_next(&seed);

            arena[i] = (struct node){.key = key, .priority = random_next(&seed)};
            tree = insert(tree, &arena[i]);
        }
        sum = walk(tree, sum, 0);
    }
    return (int32_t)sum;
}
