import io

import numpy as np
import pytest
from PIL import Image

from uomh.data.decode import FIRST, SCALED, TURNED, BrokenImageError, FileReading, decode
from uomh.errors import UomhError

GREY = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
COLOUR = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)


def encoded(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def read(content, **how):
    return decode(content, "a.png", FileReading(**how))


def with_alpha(rgb, alpha):
    return Image.fromarray(np.dstack([rgb, alpha]), "RGBA" if rgb.ndim == 3 else "LA")


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP"])
def test_grey_levels_of_colour_are_kept_exactly(kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    picture = read(encoded(Image.fromarray(COLOUR), kind, **options))
    assert (picture.levels == COLOUR.transpose(2, 0, 1)).all()
    assert picture.changes == ()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "GIF", "PPM"])
def test_grey_is_one_channel(kind):
    picture = read(encoded(Image.fromarray(GREY), kind))
    assert (picture.levels == GREY[None]).all()


def test_two_levels_are_black_and_white():
    picture = read(encoded(Image.fromarray(GREY > 100)))
    assert (picture.levels[0] == (GREY > 100) * 255).all()


def test_cmyk_is_colour():
    picture = read(encoded(Image.new("CMYK", (8, 6), (0, 0, 0, 0)), "TIFF"))
    assert picture.levels.shape == (3, 6, 8)
    assert (picture.levels == 255).all()


def test_a_palette_of_greys_is_grey_and_one_of_colours_is_colour():
    grey = Image.fromarray(GREY).convert("RGB").convert("P", palette=Image.Palette.ADAPTIVE)
    picture = read(encoded(grey))
    assert (picture.levels == GREY[None]).all()
    assert picture.from_palette
    colours = Image.fromarray(COLOUR).quantize(200)
    picture = read(encoded(colours))
    assert (picture.levels == np.asarray(colours.convert("RGB")).transpose(2, 0, 1)).all()
    assert not picture.from_palette


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_sixteen_bits_are_scaled_to_eight_and_that_is_said(kind):
    values = np.arange(48, dtype=np.uint16).reshape(6, 8) * 1390
    picture = read(encoded(Image.fromarray(values), kind))
    assert (picture.levels[0] == np.rint(values / 257)).all()
    assert picture.changes == (SCALED,)
    assert picture.brightest == values.max()


def test_sixteen_bits_of_colour_are_scaled_too():
    content = b"P6 2 1 65535\n" + np.array([0, 65535, 257 * 7] * 2, dtype=">u2").tobytes()
    picture = read(content)
    assert picture.levels[:, 0, 0].tolist() == [0, 255, 7]
    assert picture.changes == (SCALED,)


@pytest.mark.parametrize(
    ("pixels", "kind"), [(np.float32, "TIFF"), (np.int32, "TIFF")], ids=["F", "I"]
)
def test_pixels_that_are_no_levels_are_refused_by_mode(pixels, kind, request):
    mode = request.node.callspec.id
    with pytest.raises(UomhError, match=f"a.png has pixels of mode '{mode}'.*8-bit") as raised:
        read(encoded(Image.fromarray(GREY.astype(pixels)), kind), skip_broken=True)
    assert not isinstance(raised.value, BrokenImageError)


@pytest.mark.parametrize("background", ["white", "black", "#ff8000"])
def test_transparent_colours_are_laid_on_the_background(background):
    alpha = np.full((6, 8), 255, dtype=np.uint8)
    alpha[0], alpha[1] = 0, 128
    picture = read(encoded(with_alpha(COLOUR, alpha)), background=background)
    ground = FileReading(background=background).colour
    share = alpha[..., None] / 255
    assert (
        picture.levels.transpose(1, 2, 0) == np.rint(COLOUR * share + ground * (1 - share))
    ).all()
    assert picture.changes == (f"laid on {background} where transparent (data.background)",)


def test_alpha_that_hides_nothing_changes_nothing():
    full = np.full((6, 8), 255, dtype=np.uint8)
    assert (read(encoded(with_alpha(COLOUR, full))).levels == COLOUR.transpose(2, 0, 1)).all()
    picture = read(encoded(with_alpha(GREY, full)), background="red")
    assert (picture.levels == GREY[None]).all()
    assert picture.changes == ()


def test_grey_on_grey_is_grey_and_grey_on_a_colour_is_colour():
    alpha = np.where(GREY > 100, 255, 0).astype(np.uint8)
    content = encoded(with_alpha(GREY, alpha))
    assert (read(content).levels[0] == np.where(GREY > 100, GREY, 255)).all()
    assert read(content, background="red").levels.shape == (3, 6, 8)


def test_a_transparent_level_of_a_png_is_laid_on_the_background():
    content = encoded(Image.fromarray(GREY), transparency=0)
    assert read(content).levels[0, 0, 0] == 255
    palette = Image.fromarray(GREY).convert("P")
    assert read(encoded(palette, transparency=0)).levels[0, 0, 0] == 255


@pytest.mark.parametrize("colour", ["whiteish", "#12", "#11223344", ""])
def test_a_background_that_is_no_colour_is_refused(colour):
    with pytest.raises(UomhError, match="is no colour"):
        FileReading(background=colour)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_orientation_is_applied_once(kind):
    exif = Image.Exif()
    exif[0x0112] = 6
    flat = np.zeros((6, 8), dtype=np.uint8)
    flat[:, :4] = 255
    picture = read(encoded(Image.fromarray(flat), kind, exif=exif))
    assert picture.levels.shape[1:] == (8, 6)
    assert picture.levels[0, :3].min() > 200
    assert picture.levels[0, 5:].max() < 50
    assert picture.changes == ((TURNED,) if kind != "TIFF" else picture.changes)


def test_exif_data_that_cannot_be_read_turn_nothing():
    content = encoded(Image.fromarray(GREY), "JPEG", exif=b"Exif\x00\x00garbage, not a header")
    assert read(content).levels.shape == (1, 6, 8)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_several_frames_are_refused_by_name(kind):
    frames = [Image.fromarray(np.roll(COLOUR, i, axis=0)) for i in range(3)]
    content = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    with pytest.raises(UomhError, match=r"a\.png has 3 frames"):
        read(content, skip_broken=True)


def test_the_first_picture_of_a_camera_s_jpeg_is_the_picture():
    frames = [Image.new("L", (8, 6), level) for level in (40, 200)]
    picture = read(encoded(frames[0], "MPO", save_all=True, append_images=frames[1:]))
    assert abs(int(picture.levels[0, 0, 0]) - 40) < 3
    assert picture.changes == (FIRST,)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP"])
def test_whatever_the_decoder_raises_names_the_image(kind):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8))
    content = encoded(noise, kind)
    for cut in (0, 5, 20, len(content) // 2):
        with pytest.raises(
            BrokenImageError, match=r"cannot decode the image a\.png.*--skip-broken"
        ):
            read(content[:cut])


def test_a_decompression_bomb_is_an_image_that_cannot_be_decoded(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(BrokenImageError):
        read(encoded(Image.fromarray(GREY)))


def test_a_file_that_is_not_there_names_itself(tmp_path):
    with pytest.raises(BrokenImageError, match="cannot decode"):
        decode(tmp_path / "gone.png", "gone.png", FileReading())
    with pytest.raises(BrokenImageError, match="cannot decode"):
        decode(None, "row 3", FileReading())


def test_resizing_comes_last():
    assert read(encoded(Image.fromarray(COLOUR)), resize=4).levels.shape == (3, 4, 4)
