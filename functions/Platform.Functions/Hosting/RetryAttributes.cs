using System.Text.Json.Nodes;

namespace Platform.Functions.Hosting;

/// <summary>How often, and after which waits, the host runs a failed invocation again.</summary>
public abstract class RetryAttribute : Attribute
{
    /// <summary>The member <c>retry</c> of <c>function.json</c>.</summary>
    internal abstract JsonObject Describe();
}

/// <summary>The same wait before each retry.</summary>
/// <param name="maxRetryCount">Retries at most; -1 for any number.</param>
/// <param name="delayInterval">The wait, <c>hh:mm:ss</c>.</param>
[AttributeUsage(AttributeTargets.Method)]
public sealed class FixedDelayRetryAttribute(int maxRetryCount, string delayInterval) : RetryAttribute
{
    /// <summary>Retries at most; -1 for any number.</summary>
    public int MaxRetryCount { get; } = maxRetryCount;

    /// <summary>The wait, <c>hh:mm:ss</c>.</summary>
    public string DelayInterval { get; } = delayInterval;

    internal override JsonObject Describe() => new() { ["strategy"] = "fixedDelay", ["maxRetryCount"] = MaxRetryCount, ["delayInterval"] = DelayInterval };
}

/// <summary>A wait that doubles with each retry.</summary>
/// <param name="maxRetryCount">Retries at most; -1 for any number.</param>
/// <param name="minimumInterval">The first wait, <c>hh:mm:ss</c>.</param>
/// <param name="maximumInterval">The longest wait, <c>hh:mm:ss</c>.</param>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ExponentialBackoffRetryAttribute(int maxRetryCount, string minimumInterval, string maximumInterval) : RetryAttribute
{
    /// <summary>Retries at most; -1 for any number.</summary>
    public int MaxRetryCount { get; } = maxRetryCount;

    /// <summary>The first wait, <c>hh:mm:ss</c>.</summary>
    public string MinimumInterval { get; } = minimumInterval;

    /// <summary>The longest wait, <c>hh:mm:ss</c>.</summary>
    public string MaximumInterval { get; } = maximumInterval;

    internal override JsonObject Describe() => new() { ["strategy"] = "exponentialBackoff", ["maxRetryCount"] = MaxRetryCount, ["minimumInterval"] = MinimumInterval, ["maximumInterval"] = MaximumInterval };
}
