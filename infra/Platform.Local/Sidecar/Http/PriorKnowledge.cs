using System.Buffers;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace Platform.Local.Sidecar.Http;

/// <summary>HTTP/1.1 and cleartext HTTP/2 on one port: a connection that begins with HTTP/2's preface (RFC 9113, section 3.4) is HTTP/2.</summary>
/// <remarks>Kestrel decides by what TLS negotiated and speaks HTTP/1.1 where there was no TLS; so the connection says of itself what its first bytes show. For Kestrel such a request's scheme is then https, which nothing here looks at.</remarks>
internal static class PriorKnowledge
{
    private static ReadOnlySpan<byte> Preface => "PRI * HTTP/2.0\r\n"u8;

    public static ConnectionDelegate Detect(ConnectionDelegate next) => async connection =>
    {
        try
        {
            if (await BeginsAsHttp2Async(connection))
            {
                var negotiated = new Negotiated();
                connection.Features.Set<ITlsConnectionFeature>(negotiated);
                connection.Features.Set<ITlsApplicationProtocolFeature>(negotiated);
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            return; // Gone before it said anything.
        }

        await next(connection);
    };

    /// <summary>Looks at the first bytes and leaves them where they are.</summary>
    private static async Task<bool> BeginsAsHttp2Async(ConnectionContext connection)
    {
        var input = connection.Transport.Input;
        while (true)
        {
            var read = await input.ReadAsync(connection.ConnectionClosed);
            var verdict = Judge(read.Buffer);
            input.AdvanceTo(read.Buffer.Start, verdict is null && !read.IsCompleted ? read.Buffer.End : read.Buffer.Start);
            if (verdict is not null || read.IsCompleted)
            {
                return verdict ?? false;
            }
        }
    }

    /// <summary>Null: too few bytes to tell.</summary>
    private static bool? Judge(ReadOnlySequence<byte> bytes)
    {
        var length = (int)Math.Min(bytes.Length, Preface.Length);
        Span<byte> start = stackalloc byte[length];
        bytes.Slice(0, length).CopyTo(start);
        return !Preface.StartsWith(start) ? false : length == Preface.Length ? true : null;
    }

    private sealed class Negotiated : ITlsApplicationProtocolFeature, ITlsConnectionFeature
    {
        private static readonly byte[] Http2 = "h2"u8.ToArray();

        public ReadOnlyMemory<byte> ApplicationProtocol => Http2;

        public X509Certificate2? ClientCertificate { get; set; }

        public Task<X509Certificate2?> GetClientCertificateAsync(CancellationToken cancellationToken) => Task.FromResult(ClientCertificate);
    }
}
