module amlite/pause

go 1.24.0
