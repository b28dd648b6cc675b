namespace Platform.Local.Supervisor;

/// <summary>Our own log lines (sidecars, Functions host), shown and kept like those of any other process, under the name <c>platform</c>.</summary>
internal sealed class FollowLoggerProvider(ProcessLog log, TimeProvider time) : ILoggerProvider
{
    public ILogger CreateLogger(string categoryName) => new FollowLogger(categoryName[(categoryName.LastIndexOf('.') + 1)..], log, time);

    public void Dispose()
    {
    }

    private sealed class FollowLogger(string category, ProcessLog log, TimeProvider time) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            var level = logLevel switch
            {
                LogLevel.Trace => "trce",
                LogLevel.Debug => "dbug",
                LogLevel.Information => "info",
                LogLevel.Warning => "warn",
                LogLevel.Error => "fail",
                _ => "crit",
            };
            log.Write($"{time.GetUtcNow():HH:mm:ss.fff} {level} {category}: {formatter(state, exception)}{(exception is null ? "" : " " + exception)}");
        }
    }
}
