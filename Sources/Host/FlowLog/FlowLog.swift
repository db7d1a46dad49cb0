// FlowLog
