"""Pictures: Pillow, OpenCV, Matplotlib."""

from case import case, close, pypi
from journal import step

PILLOW = pypi("pillow")
OPENCV = pypi("opencv-python-headless")
MATPLOTLIB = pypi("matplotlib")


def digest(data):
    import hashlib

    return hashlib.sha256(data).hexdigest()[:16]


@case(PILLOW, fast=True)
def encode_and_decode():
    """Pictures are written and read as PNG, JPEG, WebP, GIF, TIFF and JPEG 2000."""
    import io

    from PIL import Image

    image = Image.effect_mandelbrot((300, 200), (-3, -2.5, 2, 2.5), 100).convert("RGB")
    results = []
    for kind in ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "JPEG2000"):
        step(kind)
        file = io.BytesIO()
        image.save(file, kind)
        file.seek(0)
        results.append(digest(Image.open(file).convert("RGB").tobytes()))
    return results


@case(PILLOW)
def transform():
    """Resized by each filter, rotated, blurred, sharpened, filled, reduced to 64 colours, drawn upon."""
    from PIL import Image, ImageDraw, ImageFilter, ImageFont

    image = Image.effect_mandelbrot((400, 300), (-3, -2.5, 2, 2.5), 100).convert("RGB")
    results = []
    for how in Image.Resampling:
        step(how.name)
        results.append(digest(image.resize((123, 77), how).tobytes()))
    for filtered in (
        ImageFilter.GaussianBlur(5),
        ImageFilter.UnsharpMask(),
        ImageFilter.MedianFilter(5),
        ImageFilter.FIND_EDGES,
    ):
        step(type(filtered).__name__)
        results.append(digest(image.filter(filtered).tobytes()))
    step("draw")
    draw = ImageDraw.Draw(image)
    draw.text((10, 10), "text in a picture", font=ImageFont.load_default(40))
    draw.polygon([(5, 5), (200, 50), (100, 250)], fill="red", outline="blue", width=5)
    ImageDraw.floodfill(image, (399, 299), (1, 2, 3))
    results += [
        digest(image.tobytes()),
        digest(image.quantize(64).tobytes()),
        digest(image.rotate(33, expand=True).tobytes()),
    ]
    return results


@case(OPENCV, same=close)
def filters():
    """Filters, contours, a Fourier transform, matrices, features, and JPEG there and back."""
    import cv2
    import numpy

    image = (numpy.random.default_rng(1).random((400, 500, 3)) * 255).astype("uint8")
    results = []
    step("filters")
    for made in (
        cv2.GaussianBlur(image, (15, 15), 3),
        cv2.medianBlur(image, 5),
        cv2.bilateralFilter(image, 9, 75, 75),
        cv2.resize(image, (123, 77), interpolation=cv2.INTER_LANCZOS4),
        cv2.Canny(image, 100, 200),
        cv2.warpAffine(image, numpy.float32([[0.9, 0.1, 5], [-0.1, 0.9, 5]]), (500, 400)),
    ):
        results.append(made.mean())
    step("contours")
    grey = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), (15, 15), 3)
    results += [
        len(cv2.findContours((grey > 127).astype("uint8"), cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)[0]),
        cv2.connectedComponents((grey > 127).astype("uint8"))[0],
        cv2.floodFill(grey.copy(), None, (0, 0), 255, 3, 3)[0],
    ]
    step("matrices")
    square = numpy.random.default_rng(1).random((100, 100))
    results += [
        abs(cv2.dft(square)).sum(),
        cv2.solve(square, numpy.ones((100, 1)))[1].sum(),
        cv2.SVDecomp(square)[0].sum(),
    ]
    step("features")
    results += [
        len(cv2.ORB_create().detectAndCompute(grey, None)[0]) > 0,
        len(cv2.goodFeaturesToTrack(grey, 50, 0.01, 5)),
    ]
    step("JPEG")
    results += [cv2.imdecode(cv2.imencode(".jpg", image)[1], cv2.IMREAD_COLOR).mean()]
    return list(map(float, results))


@case(MATPLOTLIB, limit=100)
def plots():
    """Lines, contours, text with formulas and a surface are drawn by Agg, and written as PNG, SVG and PDF."""
    import io

    import matplotlib
    import numpy

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "case"
    from matplotlib import pyplot

    x = numpy.linspace(0, 10, 100)
    figure, axes = pyplot.subplots(1, 3, figsize=(9, 3))
    axes[0].plot(x, numpy.sin(x), label=r"$\sum_i \frac{x_i}{\sqrt{2}}$")
    axes[0].legend()
    axes[1].contourf(numpy.sin(x)[:, None] * numpy.cos(x)[None, :], 20)
    axes[2].tripcolor(numpy.cos(x * 3) * x, numpy.sin(x * 5) * x, x)
    results = []
    for kind in ("png", "svg", "pdf"):
        step(kind)
        file = io.BytesIO()
        figure.savefig(
            file,
            format=kind,
            metadata={} if kind == "png" else {"Date": None} if kind == "svg" else {"CreationDate": None},
        )
        results.append(digest(file.getvalue()) if kind == "png" else len(file.getvalue()) > 10_000)
    return results
