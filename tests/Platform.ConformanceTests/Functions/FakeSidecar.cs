using System.Collections.Concurrent;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Platform.ConformanceTests.Functions;

/// <summary>The few paths of a sidecar that the platform's functions call, answered by the test, so that a test can lose a worker at a chosen moment.</summary>
internal sealed class FakeSidecar : IAsyncDisposable
{
    private readonly ConcurrentQueue<string> _calls = new();
    private readonly ConcurrentDictionary<string, Func<HttpContext, Task>> _answers = new();
    private WebApplication _app = null!;

    public int Port { get; private set; }

    /// <summary>Every call so far: the path below <c>/v1.0/</c>.</summary>
    public IReadOnlyList<string> Calls => [.. _calls];

    public static async Task<FakeSidecar> StartAsync()
    {
        var sidecar = new FakeSidecar();
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        sidecar._app = builder.Build();
        sidecar._app.Run(sidecar.AnswerAsync);
        await sidecar._app.StartAsync(TestContext.Current.CancellationToken);
        sidecar.Port = new Uri(sidecar._app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()).Port;
        return sidecar;
    }

    /// <summary>Sets the answer to a path below <c>/v1.0/</c>; in place of what was there.</summary>
    public FakeSidecar On(string path, Func<HttpContext, Task> answer)
    {
        _answers[path] = answer;
        return this;
    }

    public FakeSidecar On(string path, string json, int status = 200) => On(path, context => WriteAsync(context, json, status));

    public static async Task WriteAsync(HttpContext context, string json, int status = 200)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = System.Text.Encoding.UTF8.GetByteCount(json);
        await context.Response.WriteAsync(json, context.RequestAborted);
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private Task AnswerAsync(HttpContext context)
    {
        var path = context.Request.Path.Value!["/v1.0/".Length..];
        _calls.Enqueue(path);
        return _answers.TryGetValue(path, out var answer)
            ? answer(context)
            : WriteAsync(context, """{"errorCode":"ERR_DIRECT_INVOKE","message":"nobody is there"}""", 500);
    }
}
