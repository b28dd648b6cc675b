namespace Platform.Local.FunctionsHost.Http;

/// <summary>Keeps the web framework from making an activity and a log scope for every request of the host.</summary>
internal static class RequestLogging
{
    /// <remarks>
    /// The framework makes both as soon as its category may log anything at all. Nothing here reads them: trace headers cross the host as they came, and failures are logged by the host itself,
    /// those that escape it by Kestrel's own categories.
    /// </remarks>
    public static ILoggingBuilder AddRequestFilter(this ILoggingBuilder logging) => logging.AddFilter("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None);
}
