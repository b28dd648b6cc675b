using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.Json;
using System.Threading.Channels;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Platform.Benchmarks.Dispatch;

/// <summary>The custom handler behind the measured Functions host: bare Kestrel. Messages of the queue carry the time at which they were sent; it keeps how long they took.</summary>
internal static class HostHandler
{
    public static async Task<int> RunAsync()
    {
        var port = int.Parse(Environment.GetEnvironmentVariable("FUNCTIONS_CUSTOMHANDLER_PORT")!, CultureInfo.InvariantCulture);
        var delays = Channel.CreateUnbounded<double>();
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port));
        builder.Logging.ClearProviders();
        await using var app = builder.Build();
        app.Run(async context =>
        {
            var answer = "ok";
            if (context.Request.Path == "/Queued")
            {
                var now = Stopwatch.GetTimestamp();
                using var envelope = await JsonDocument.ParseAsync(context.Request.Body);
                var text = JsonSerializer.Deserialize<string>(envelope.RootElement.GetProperty("Data").GetProperty("job").GetString()!)!;
                await delays.Writer.WriteAsync(Stopwatch.GetElapsedTime(long.Parse(text.Split(' ')[0], CultureInfo.InvariantCulture), now).TotalMicroseconds);
                answer = "{}";
            }
            else if (context.Request.Path == "/delay")
            {
                // The next message's, when it has come; or, with ?count=, those of so many.
                var count = int.TryParse(context.Request.Query["count"], CultureInfo.InvariantCulture, out var many) ? many : 1;
                for (var i = 0; i < count; i++)
                {
                    answer = (await delays.Reader.ReadAsync()).ToString(CultureInfo.InvariantCulture);
                }
            }

            context.Response.ContentType = "application/json";
            context.Response.ContentLength = answer.Length;
            await context.Response.WriteAsync(answer);
        });
        await app.StartAsync();

        // The host closes standard input when it ends.
        await Console.OpenStandardInput().CopyToAsync(Stream.Null);
        return 0;
    }
}
