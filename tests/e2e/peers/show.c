/* A workload that prints the files of its arguments, "PATH CONTENT" each, or that it has none;
 * without arguments that it runs. */
#include <stdio.h>

int main(int argc, char **argv)
{
    char text[4096];

    if (argc < 2)
        puts("it runs");
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "r");
        size_t size = file != NULL ? fread(text, 1, sizeof text, file) : 0;
        printf("%s %.*s\n", argv[i], file != NULL ? (int)size : 4, file != NULL ? text : "none");
        if (file != NULL)
            fclose(file);
    }
    return 0;
}
