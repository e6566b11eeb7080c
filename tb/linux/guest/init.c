/* The guest's init: for each test of one suite resets the device, loads the module, runs the test in
 * a process of its own, unloads the module; then looks for leaks and powers off. Prints KTAP. */
#include <fcntl.h>
#include <fnmatch.h>
#include <linux/random.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

#define TEST_LIMIT_S 60

static const struct suite *const suites[] = {
    &published_suite, &requests_suite, &hints_suite, &events_suite,  &sharing_suite, &rules_suite,
    &lifetime_suite,  &faults_suite,   &axi_suite,   &time_suite,    &mock_suite,    &devices_suite, &rate_suite,
    &uring_suite,     &madvise_suite,  &errors_suite,  &memory_suite, &stack_suite,
};

const char *module_path;
static const char *programs_path;

void failed(const char *file, int line, const char *what) {
    const char *name = strrchr(file, '/');
    const int error = errno;
    try_fault(FAULT_CHECK_FAILED, 0, 0); /* a test without the rights leaves it to its parent */
    printf("# %s:%d: %s (errno %d: %s)\n", name ? name + 1 : file, line, what, error, strerror(error));
    fflush(stdout);
    _exit(1);
}

int try_load(const char *parameters) {
    const int fd = open(module_path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    const long result = syscall(SYS_finit_module, fd, parameters, 0);
    const int error = errno;
    close(fd);
    errno = error;
    return (int)result;
}

void load(const char *parameters) {
    CHECK(try_load(parameters) == 0);
}

static int try_unload(void) {
    return (int)syscall(SYS_delete_module, "kv_cpu", O_NONBLOCK);
}

void unload(void) {
    CHECK(try_unload() == 0);
}

int in_child(void (*run)(void)) {
    fflush(stdout);
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        run();
        fflush(stdout);
        _exit(0);
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int program(const char *name, const char *const *arguments) {
    char path[256], line[256];
    const char *given[16] = {path};
    int ends[2];
    snprintf(path, sizeof path, "%s/%s/%s", programs_path, name, name);
    for (size_t n = 0; arguments[n]; n++) given[n + 1] = arguments[n];
    CHECK(pipe(ends) == 0);
    fflush(stdout);
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        dup2(ends[1], 1);
        dup2(ends[1], 2);
        close(ends[0]);
        close(ends[1]);
        execv(path, (char *const *)given);
        _exit(127);
    }
    close(ends[1]);
    FILE *output = fdopen(ends[0], "r");
    CHECK(output);
    while (fgets(line, sizeof line, output))
        if (strncmp(line, "not ok", 6) == 0 || strncmp(line, "FAILED", 6) == 0) printf("# %s: %s", name, line);
    fclose(output);
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Python asks for random numbers at its start, and the guest has no source of them: the same ones in every run. */
static void seed_random(void) {
    struct {
        struct rand_pool_info info;
        uint32_t more[16];
    } given = {.info = {.entropy_count = 512, .buf_size = sizeof given.more}};
    const int fd = open("/dev/random", O_WRONLY | O_CLOEXEC);
    CHECK(fd >= 0 && ioctl(fd, RNDADDENTROPY, &given) == 0);
    close(fd);
}

int python(const char *module) {
    const char *program = getenv("kv_python"), *folder = getenv("kv_root");
    CHECK(program && folder);
    seed_random();
    fflush(stdout);
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        CHECK(chdir(folder) == 0 && setenv("TMPDIR", "/mnt", 1) == 0 && setenv("HOME", "/mnt", 1) == 0);
        CHECK(setenv("PYTHONDONTWRITEBYTECODE", "1", 1) == 0 && setenv("PYTHONHASHSEED", "0", 1) == 0);
        CHECK(setenv("OPENBLAS_NUM_THREADS", "1", 1) == 0 && setenv("PATH", "/usr/bin:/bin", 1) == 0);
        execl(program, program, "-m", module, NULL);
        CHECK(!"the guest has no Python of the project");
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* The branch counts of the driver, from debugfs into a folder of the host. */
static void keep_coverage(const char *folder) {
    char command[512];
    CHECK(mount("hostfs", "/mnt", "hostfs", 0, folder) == 0);
    snprintf(command, sizeof command, "cd /sys/kernel/debug/gcov && for f in $(find . -name 'kv_*.gcda'); do "
                                      "cat $f >/mnt/${f##*/}; done");
    CHECK(system(command) == 0);
}

static int wanted(const struct suite *suite, const struct test *test, const char *pattern) {
    char name[128];
    snprintf(name, sizeof name, "%s.%s", suite->name, test->name);
    return fnmatch(pattern, name, 0) == 0;
}

static void on_limit(int number) {
    (void)number;
}

/* Run a test in a process group of its own, which is killed at a limit. */
static int run_test(void (*run)(void)) {
    const struct sigaction action = {.sa_handler = on_limit};
    int status = -1;
    fflush(stdout);
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        setpgid(0, 0);
        run();
        fflush(stdout);
        _exit(0);
    }
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    alarm(TEST_LIMIT_S);
    if (waitpid(child, &status, 0) != child) {
        printf("# it waits for what does not come: no end within %d s of simulated time\n", TEST_LIMIT_S);
        kill(-child, SIGKILL);
        waitpid(child, &status, 0);
    }
    alarm(0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Twice: the first scan may take a pointer that is only in a register for a leak. Objects count from 5 s of age on. */
static void look_for_leaks(void) {
    char text[512];
    wait_ms(6000);
    try_put("/sys/kernel/debug/kmemleak", "scan");
    wait_ms(6000);
    if (try_put("/sys/kernel/debug/kmemleak", "scan")) printf("# kmemleak is not there\n");
    if (contents("/sys/kernel/debug/kmemleak", text, sizeof text) > 0) printf("# %s\n", text);
}

static void run_suite(const struct suite *suite, const char *pattern) {
    int planned = 0, number = 0;
    for (const struct test *test = suite->tests; test->name; test++) planned += wanted(suite, test, pattern);
    printf("KTAP version 1\n1..%d\n", planned);
    for (const struct test *test = suite->tests; test->name; test++) {
        if (!wanted(suite, test, pattern)) continue;
        fault(FAULT_RETURN, 0);
        if (suite->parameters) load(suite->parameters);
        int status = run_test(test->run); /* whatever it has open is closed then */
        if (suite->parameters && try_unload()) {
            printf("# the module cannot be unloaded (errno %d: %s)\n", errno, strerror(errno));
            status = 1;
        }
        if (status) try_fault(FAULT_CHECK_FAILED, 0, 0);
        if (status > 1) printf("# ended with status %d\n", status);
        printf("%s %d %s.%s\n", status ? "not ok" : "ok", ++number, suite->name, test->name);
        fflush(stdout);
    }
}

/* A shell on the first console; it says when it waits for the user, and time stands still then. */
static void shell(const char *self) {
    char prompt[512];
    fault(FAULT_RETURN, 0);
    load("");
    mount("tmpfs", "/tmp", "tmpfs", 0, NULL);
    snprintf(prompt, sizeof prompt, "$('%s' prompt)# ", self);
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        CHECK(setsid() > 0);
        const int fd = open("/dev/tty0", O_RDWR);
        CHECK(fd >= 0 && ioctl(fd, TIOCSCTTY, 0) == 0 && dup2(fd, 0) == 0 && dup2(fd, 1) == 1 && dup2(fd, 2) == 2);
        CHECK(setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1) == 0 && setenv("HOME", "/tmp", 1) == 0);
        CHECK(setenv("PS1", prompt, 1) == 0 && chdir("/tmp") == 0);
        execl("/bin/sh", "sh", "-i", NULL);
        CHECK(!"the guest has no /bin/sh");
    }
    while (waitpid(child, NULL, WNOHANG) == 0) { /* keys arrive when the guest wakes: at least every 10 us */
        const struct timespec tick = {0, 10000};
        nanosleep(&tick, NULL);
    }
    if (try_unload()) printf("# the module cannot be unloaded (errno %d: %s)\n", errno, strerror(errno));
}

static void list(void) {
    for (size_t n = 0; n < sizeof suites / sizeof *suites; n++)
        for (const struct test *test = suites[n]->tests; test->name; test++)
            printf("%s.%s\n", suites[n]->name, test->name);
}

int main(int count, char **arguments) {
    if (count == 2 && strcmp(arguments[1], "list") == 0) {
        list();
        return 0;
    }
    if (count == 2 && strcmp(arguments[1], "prompt") == 0) return try_fault(FAULT_PROMPT, 0, 0) ? 1 : 0;
    const char *suite = getenv("kv_suite"), *pattern = getenv("kv_pattern"), *leaks = getenv("kv_leaks"),
               *coverage = getenv("kv_coverage");
    module_path = getenv("kv_module"); /* parameters of the kernel's command line that are not its own */
    programs_path = getenv("kv_programs");
    if (getpid() != 1 || !suite || !pattern || !module_path || !programs_path || !getenv("kv_init")) {
        fprintf(stderr, "usage: as init of a guest, or: init list\n");
        return 2;
    }
    mount("proc", "/proc", "proc", 0, NULL);
    mount("sysfs", "/sys", "sysfs", 0, NULL);
    mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
    mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
    wait_ms(30); /* timers are exact from the first tick on; the device is not simulated before its first access */
    for (size_t n = 0; n < sizeof suites / sizeof *suites; n++)
        if (strcmp(suites[n]->name, suite) == 0) run_suite(suites[n], pattern);
    if (strcmp(suite, "shell") == 0) shell(getenv("kv_init"));
    if (coverage) keep_coverage(coverage);
    if (leaks) look_for_leaks();
    printf("# end\n");
    fflush(stdout);
    sync();
    reboot(RB_POWER_OFF);
    return 1;
}
