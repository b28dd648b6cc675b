using Microsoft.AspNetCore.Http;

namespace Platform.Dapr.Subscriptions;

/// <summary>What the sidecar is to do with an event.</summary>
public enum TopicStatus
{
    /// <summary>Handled: it is never delivered again.</summary>
    Success,

    /// <summary>Failed for now: again later, as the resiliency policy or the broker says; without a policy and with a dead-letter topic, to the dead letters.</summary>
    Retry,

    /// <summary>Nobody will ever handle it: to the dead letters, or away.</summary>
    Drop,
}

/// <summary>An endpoint's answer to a delivery, in the sidecar's words. Anything else with a status of 200-299 counts as <see cref="TopicStatus.Success"/>.</summary>
public sealed class TopicResult : IResult
{
    private readonly TopicStatus _status;

    private TopicResult(TopicStatus status) => _status = status;

    /// <summary>The event is handled.</summary>
    public static IResult Success { get; } = new TopicResult(TopicStatus.Success);

    /// <summary>The event comes again.</summary>
    public static IResult Retry { get; } = new TopicResult(TopicStatus.Retry);

    /// <summary>The event goes to the dead letters, or away.</summary>
    public static IResult Drop { get; } = new TopicResult(TopicStatus.Drop);

    /// <summary>The answer for a status.</summary>
    public static IResult Of(TopicStatus status) => status switch
    {
        TopicStatus.Success => Success,
        TopicStatus.Retry => Retry,
        _ => Drop,
    };

    /// <inheritdoc/>
    public async Task ExecuteAsync(HttpContext httpContext)
    {
        var body = _status switch
        {
            TopicStatus.Success => "{\"status\":\"SUCCESS\"}"u8.ToArray(),
            TopicStatus.Retry => "{\"status\":\"RETRY\"}"u8.ToArray(),
            _ => "{\"status\":\"DROP\"}"u8.ToArray(),
        };
        httpContext.Response.ContentType = "application/json";
        httpContext.Response.ContentLength = body.Length;
        await httpContext.Response.Body.WriteAsync(body, httpContext.RequestAborted);
    }
}
