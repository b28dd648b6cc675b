using Microsoft.Azure.Functions.Worker;
using Microsoft.Extensions.Logging;

namespace IsolatedSample;

public class TimerFunctions(ILogger<TimerFunctions> logger)
{
    [Function("Report")]
    [FixedDelayRetry(5, "00:00:10")]
    [QueueOutput("reports")]
    public string Run([TimerTrigger("%ReportSchedule%", RunOnStartup = true)] TimerInfo myTimer, FunctionContext context)
    {
        logger.LogInformation("C# Timer trigger function executed at: {executionTime}", DateTime.Now);

        if (myTimer.ScheduleStatus is not null)
        {
            DateTime next = myTimer.ScheduleStatus.Next;
            logger.LogInformation("Next timer schedule at: {nextSchedule}", next);
        }

        return $"past due {myTimer.IsPastDue}, retry {context.RetryContext?.RetryCount} of {context.RetryContext?.MaxRetryCount}";
    }
}
