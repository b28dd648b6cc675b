using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Platform.Jobs;

namespace Platform.UnitTests.Supervisor;

/// <summary>An app of a run template, as a process of its own: says who it is, and turns sick when asked to.</summary>
internal static class SupervisedApp
{
    /// <summary>How <see cref="ChildProgram"/> names it.</summary>
    public static string Child => typeof(SupervisedApp).FullName!;

    /// <summary>This test program, which runs the app when its environment names it.</summary>
    public static string Command => $"""["dotnet", "{typeof(SupervisedApp).Assembly.Location}"]""";

    internal static async Task ChildMain(string[] args)
    {
        if (args is ["exit", var code])
        {
            Environment.Exit(int.Parse(code));
        }

        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls($"http://127.0.0.1:{Environment.GetEnvironmentVariable("APP_PORT")}");
        await using var app = builder.Build();
        var isSick = args is ["sick"];
        app.MapGet("/healthz", () => isSick ? Results.StatusCode(500) : Results.Ok());
        app.MapGet("/pid", () => Environment.ProcessId.ToString());
        app.MapGet("/environment/{name}", (string name) => Environment.GetEnvironmentVariable(name) ?? "");
        app.MapGet("/folder", () => Environment.CurrentDirectory);
        app.MapPost("/sick", () => isSick = true);
        Console.WriteLine($"I am {Environment.GetEnvironmentVariable("APP_ID")}");
        Supervision.StopWithSupervisor(app.Lifetime.StopApplication);
        await app.RunAsync();
    }
}
