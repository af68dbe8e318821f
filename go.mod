module tcpstate

go 1.24
