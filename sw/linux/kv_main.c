// SPDX-License-Identifier: GPL-2.0
/* KV-CPU: module, PCI function, device nodes. */

#include <linux/idr.h>
#include <linux/interrupt.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/version.h>

#include "kv.h"

unsigned int kv_timeout_ms = 100;
module_param_named(timeout_ms, kv_timeout_ms, uint, 0444);
MODULE_PARM_DESC(timeout_ms, "limit of every wait for the device, in ms (default 100)");

static bool mock;
module_param(mock, bool, 0444);
MODULE_PARM_DESC(mock, "make one device without hardware");

static DEFINE_IDA(kv_minors);
static struct class *kv_class;
static dev_t kv_first;

static void kv_free(struct device *dev)
{
	struct kv_dev *kv = container_of(dev, struct kv_dev, dev);

	ida_free(&kv_minors, MINOR(dev->devt));
	kfree(kv);
}

/* A device that is not visible yet; put_device(&kv->dev) frees it. */
struct kv_dev *kv_alloc(struct device *parent, const struct kv_ops *ops)
{
	struct kv_dev *kv;
	int minor;

	kv = kzalloc(sizeof(*kv), GFP_KERNEL);
	if (!kv)
		return ERR_PTR(-ENOMEM);
	minor = ida_alloc_max(&kv_minors, KV_MAX_DEVICES - 1, GFP_KERNEL);
	if (minor < 0) {
		kfree(kv);
		return ERR_PTR(minor);
	}
	kv->ops = ops;
	init_rwsem(&kv->present);
	mutex_init(&kv->lock);
	init_waitqueue_head(&kv->wait);
	spin_lock_init(&kv->files_lock);
	INIT_LIST_HEAD(&kv->files);
	kv_moves_init(kv);
	device_initialize(&kv->dev);
	kv->dev.parent = parent;
	kv->dev.class = kv_class;
	kv->dev.groups = kv_groups;
	kv->dev.release = kv_free;
	kv->dev.devt = MKDEV(MAJOR(kv_first), minor);
	cdev_init(&kv->cdev, &kv_fops);
	kv->cdev.owner = THIS_MODULE;
	if (dev_set_name(&kv->dev, "kvcpu%d", minor)) {
		put_device(&kv->dev);
		return ERR_PTR(-ENOMEM);
	}
	return kv;
}

int kv_register(struct kv_dev *kv)
{
	int err = cdev_device_add(&kv->cdev, &kv->dev);

	if (!err)
		kv_debugfs_add(kv);
	return err;
}

/* The node goes; files that are open fail from now on, and none of them is inside the device any more. */
void kv_unregister(struct kv_dev *kv)
{
	kv_debugfs_remove(kv);
	cdev_device_del(&kv->cdev, &kv->dev);
	set_bit(KV_REMOVED, &kv->flags);
	wake_up_all(&kv->wait);
	kv_wake_files(kv);
	kv_moves_stop(kv);
	down_write(&kv->present);
	up_write(&kv->present);
}

static u64 kv_pci_read(struct kv_dev *kv, unsigned int bar, u32 offset)
{
	return readq((bar ? kv->bar2 : kv->bar0) + offset);
}

static void kv_pci_write(struct kv_dev *kv, u32 offset, u64 value)
{
	writeq(value, kv->bar0 + offset);
}

static const struct kv_ops kv_pci_ops = {
	.read = kv_pci_read,
	.write = kv_pci_write,
};

static int kv_map(struct kv_dev *kv, struct pci_dev *pdev)
{
	int err = pcim_enable_device(pdev);

	if (err)
		return err;
	if (pci_resource_len(pdev, 0) < KV_BAR0_BYTES)
		return dev_err_probe(&pdev->dev, -ENODEV, "BAR0 is too small\n");
	err = pcim_iomap_regions(pdev, BIT(0) | BIT(2), KV_NAME);
	if (err)
		return err;
	kv->bar0 = pcim_iomap_table(pdev)[0];
	kv->bar2 = pcim_iomap_table(pdev)[2];
	return 0;
}

static int kv_interrupt(struct kv_dev *kv, struct pci_dev *pdev)
{
	int err;

	pci_set_master(pdev);
	err = pci_alloc_irq_vectors(pdev, 1, 1, PCI_IRQ_MSI | PCI_IRQ_LEGACY);
	if (err < 0)
		return dev_err_probe(&pdev->dev, err, "no interrupt\n");
	kv->irq = pci_irq_vector(pdev, 0);
	err = request_threaded_irq(kv->irq, kv_interrupted, kv_thread, IRQF_ONESHOT | (pdev->msi_enabled ? 0 : IRQF_SHARED),
				   dev_name(&kv->dev), kv);
	if (err) {
		pci_free_irq_vectors(pdev);
		return dev_err_probe(&pdev->dev, err, "interrupt %d\n", kv->irq);
	}
	return 0;
}

static int kv_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct kv_dev *kv = kv_alloc(&pdev->dev, &kv_pci_ops);
	int err;

	if (IS_ERR(kv))
		return PTR_ERR(kv);
	kv->pdev = pdev;
	err = kv_map(kv, pdev);
	if (!err)
		err = kv_identify(kv);
	if (!err && pci_resource_len(pdev, 2) < (u64)kv->entries * KV_ENTRY_STRIDE)
		err = dev_err_probe(&pdev->dev, -ENODEV, "BAR2 is smaller than the directory\n");
	if (!err)
		err = kv_interrupt(kv, pdev);
	if (err)
		goto free;
	err = kv_start(kv);
	if (err)
		goto interrupt;
	err = kv_register(kv);
	if (err)
		goto stop;
	pci_set_drvdata(pdev, kv);
	dev_info(&pdev->dev, "%s: %u entries, %s\n", dev_name(&kv->dev), kv->entries,
		 pdev->msi_enabled ? "MSI" : "INTx");
	return 0;
stop:
	kv_stop(kv);
interrupt:
	free_irq(kv->irq, kv);
	pci_free_irq_vectors(pdev);
free:
	put_device(&kv->dev);
	return err;
}

static void kv_remove(struct pci_dev *pdev)
{
	struct kv_dev *kv = pci_get_drvdata(pdev);

	kv_unregister(kv);
	kv_stop(kv);
	free_irq(kv->irq, kv);
	pci_free_irq_vectors(pdev);
	put_device(&kv->dev);
}

static void kv_shutdown(struct pci_dev *pdev)
{
	struct kv_dev *kv = pci_get_drvdata(pdev);

	kv_stop(kv);
}

static const struct pci_device_id kv_ids[] = {
	{ PCI_DEVICE(KV_VENDOR, KV_DEVICE) },
	{ }
};
MODULE_DEVICE_TABLE(pci, kv_ids);

static struct pci_driver kv_driver = {
	.name = KV_NAME,
	.id_table = kv_ids,
	.probe = kv_probe,
	.remove = kv_remove,
	.shutdown = kv_shutdown,
};

static int __init kv_init(void)
{
	int err = alloc_chrdev_region(&kv_first, 0, KV_MAX_DEVICES, KV_NAME);

	if (err)
		return err;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
	kv_class = class_create(KV_NAME);
#else
	kv_class = class_create(THIS_MODULE, KV_NAME);
#endif
	if (IS_ERR(kv_class)) {
		err = PTR_ERR(kv_class);
		goto region;
	}
	kv_debugfs_init();
	err = pci_register_driver(&kv_driver);
	if (err)
		goto class;
	if (mock)
		err = kv_mock_create();
	if (err)
		goto driver;
	return 0;
driver:
	pci_unregister_driver(&kv_driver);
class:
	kv_debugfs_exit();
	class_destroy(kv_class);
region:
	unregister_chrdev_region(kv_first, KV_MAX_DEVICES);
	return err;
}

static void __exit kv_exit(void)
{
	kv_mock_destroy();
	pci_unregister_driver(&kv_driver);
	kv_debugfs_exit();
	class_destroy(kv_class);
	unregister_chrdev_region(kv_first, KV_MAX_DEVICES);
	ida_destroy(&kv_minors);
}

module_init(kv_init);
module_exit(kv_exit);
MODULE_DESCRIPTION("KV-CPU memory device for KV-cache blocks");
MODULE_LICENSE("GPL");
