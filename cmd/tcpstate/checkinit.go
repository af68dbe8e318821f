package main

func (c *cli) initPolicy(f *flags, files []target, intr *interrupts) error { return nil }
