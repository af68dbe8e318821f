package main

func usage() string { return "" }
