/* Two devices: each has its own node, directory and interrupt. */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "guest.h"

static void each_is_its_own(void) {
    const struct kvcpu_step step = {5};
    struct kvcpu_event event;
    struct kvcpu_lookup found;
    const int one = open_node(), other = open("/dev/kvcpu1", O_RDWR);
    CHECK(other >= 0);
    configure();
    insert(one, 1, 0, 1);
    FAILS(lookup(other, 1, 0, &found), ENOENT);
    CHECK(ioctl(other, KVCPU_IOC_STEP_ADVANCE, &step) == 0);
    CHECK(get("/sys/class/kv_cpu/kvcpu1/current_step") == 5 && get(SYS "current_step") == 0);
    struct kvcpu_migrate move = {.token = 0, .request = 1, .tier = 2};
    CHECK(ioctl(one, KVCPU_IOC_MIGRATE, &move) == 0);
    CHECK(read(one, &event, sizeof event) == sizeof event);
    CHECK(fcntl(other, F_SETFL, O_NONBLOCK) == 0);
    FAILS(read(other, &event, sizeof event), EAGAIN);
    close(one);
    close(other);
}

static void one_is_lost(void) {
    const struct kvcpu_step step = {6};
    const int one = open_node(), other = open("/dev/kvcpu1", O_RDWR);
    CHECK(other >= 0);
    fault(FAULT_LOSE, 0);
    FAILS(ioctl(one, KVCPU_IOC_STEP_ADVANCE, &step), ENODEV);
    CHECK(ioctl(other, KVCPU_IOC_STEP_ADVANCE, &step) == 0);
    close(one);
    close(other);
}

static const struct test tests[] = {TEST(each_is_its_own), TEST(one_is_lost), END};
const struct suite devices_suite = {"devices", "", tests};
