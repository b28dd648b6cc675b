using System.Diagnostics;
using System.Text.Json;
using System.Threading.Channels;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Platform.Benchmarks.Dispatch;

/// <summary>The app behind the sidecar: bare Kestrel, an actor type whose turns do nothing, a topic.</summary>
internal sealed class BenchmarkApp : IAsyncDisposable
{
    private readonly WebApplication _app;

    private BenchmarkApp(WebApplication app) => _app = app;

    /// <summary>Timestamps: published, delivered.</summary>
    public Channel<TimeSpan> Delivered { get; } = Channel.CreateUnbounded<TimeSpan>();

    public static async Task<BenchmarkApp> StartAsync(int port)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseUrls($"http://127.0.0.1:{port}");
        builder.Logging.ClearProviders();
        var app = builder.Build();
        var self = new BenchmarkApp(app);
        app.Run(self.HandleAsync);
        await app.StartAsync();
        return self;
    }

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();

    private async Task HandleAsync(HttpContext context)
    {
        var answer = context.Request.Path.Value switch
        {
            "/dapr/config" => """{"entities":["Bench"]}""",
            "/dapr/subscribe" => """[{"pubsubname":"pubsub","topic":"t","route":"/t"}]""",
            _ => "ok",
        };
        if (context.Request.Path == "/t")
        {
            using var body = await JsonDocument.ParseAsync(context.Request.Body);
            await Delivered.Writer.WriteAsync(Stopwatch.GetElapsedTime(body.RootElement.GetProperty("data").GetInt64()));
        }

        context.Response.ContentType = "application/json";
        context.Response.ContentLength = answer.Length;
        await context.Response.WriteAsync(answer);
    }
}
